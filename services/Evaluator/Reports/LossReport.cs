using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Statistics;
using Espalier.Evaluator.Texts;

namespace Espalier.Evaluator.Reports;

/// <summary>Loss of one model on the held-out text, and on each of its domains.</summary>
public sealed record LossReport
{
    /// <summary>Nats per token.</summary>
    public required Interval Loss { get; init; }

    /// <summary>exp(loss).</summary>
    public required Interval Perplexity { get; init; }

    /// <summary>Bits per UTF-8 byte of the documents.</summary>
    public required Interval BitsPerByte { get; init; }

    /// <summary>Tokens scored.</summary>
    public required long Tokens { get; init; }

    /// <summary>Number of documents.</summary>
    public required int Documents { get; init; }

    /// <summary>UTF-8 bytes of the documents.</summary>
    public required long Bytes { get; init; }

    /// <summary>The same for each domain.</summary>
    public IReadOnlyDictionary<string, LossReport>? Domains { get; init; }
}

/// <summary>Losses of all models with their resamples, over all documents and over each domain, under shared draws.</summary>
internal sealed class LossEstimates
{
    private readonly HeldOutText _text;
    private readonly EvaluateOptions _options;
    private readonly IReadOnlyList<Slice> _slices; // all documents first, then the domains

    private LossEstimates(HeldOutText text, EvaluateOptions options, IReadOnlyList<Slice> slices)
    {
        _text = text;
        _options = options;
        _slices = slices;
    }

    /// <summary>Nats per token of each model.</summary>
    public IReadOnlyList<RatioEstimate> Losses => _slices[0].Losses;

    /// <summary>Bits per byte of each model.</summary>
    public IReadOnlyList<RatioEstimate> BitsPerByte => _slices[0].BitsPerByte;

    /// <summary>Nats per token of each model on each domain, and on all of a corpus that has several, by its name.</summary>
    public IEnumerable<(string Name, IReadOnlyList<RatioEstimate> Losses)> Domains
    {
        get
        {
            if (_slices.Count == 1)
                yield return (_text.Domains[_text.Documents[0].Domain], _slices[0].Losses);
            foreach (var slice in _slices.Skip(1))
                yield return (slice.Name, slice.Losses);
            if (_slices.Count > 1 && _text.Corpus is { } corpus && _slices.Skip(1).All(slice => slice.Name != corpus))
                yield return (corpus, _slices[0].Losses);
        }
    }

    /// <summary>Estimates every slice of every model.</summary>
    public static LossEstimates Of(HeldOutText text, IReadOnlyList<CorpusResult> results, EvaluateOptions options)
    {
        var all = Enumerable.Range(0, text.Documents.Count).ToArray();
        var slices = new List<Slice> { Slice.Of("all", all, text, results, options) };
        if (text.Domains.Count > 1)
        {
            slices.AddRange(all.GroupBy(d => text.Documents[d].Domain)
                .Select(domain => Slice.Of(text.Domains[domain.Key], [.. domain], text, results, options)));
        }
        return new LossEstimates(text, options, slices);
    }

    /// <summary>The report of one model.</summary>
    public LossReport Report(int model) => _slices[0].Report(model, _options.Confidence) with
    {
        Domains = _slices.Count == 1 ? null : _slices.Skip(1).ToDictionary(slice => slice.Name, slice => slice.Report(model, _options.Confidence)),
    };

    private sealed record Slice(string Name, RatioEstimate[] Losses, RatioEstimate[] BitsPerByte, long[] Tokens, int Documents, long Bytes)
    {
        public static Slice Of(string name, int[] documents, HeldOutText text, IReadOnlyList<CorpusResult> results, EvaluateOptions options)
        {
            var bits = documents.Select(d => text.Documents[d].Bytes * Math.Log(2)).ToArray();
            var ratios = results.SelectMany(result =>
            {
                var losses = documents.Select(d => result.Losses[d]).ToArray();
                return new[] { new DocumentRatios(losses, [.. documents.Select(d => (double)result.Tokens[d])]), new DocumentRatios(losses, bits) };
            }).ToList();
            var estimates = RatioEstimate.Of(ratios, options.Resamples, options.Seed, $"documents/{name}");
            return new Slice(
                name,
                [.. estimates.Where((_, i) => i % 2 == 0)],
                [.. estimates.Where((_, i) => i % 2 == 1)],
                [.. results.Select(result => documents.Sum(d => result.Tokens[d]))],
                documents.Length,
                documents.Sum(d => (long)text.Documents[d].Bytes));
        }

        public LossReport Report(int model, double confidence)
        {
            var loss = Losses[model].Interval(confidence);
            return new LossReport
            {
                Loss = loss,
                Perplexity = loss.Map(Math.Exp),
                BitsPerByte = BitsPerByte[model].Interval(confidence),
                Tokens = Tokens[model],
                Documents = Documents,
                Bytes = Bytes,
            };
        }
    }
}
