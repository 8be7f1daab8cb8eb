using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Datasets;
using Espalier.Datasets.Tokens;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Text that is never trained on, for measuring while training as an evaluation does: the documents of a domain one after another, cut
/// into disjoint windows, the first token of each conditioned on the token before it. A function of text and model alone; it leaves the
/// model, its gradients and the data's order as they were.
/// </summary>
internal sealed class HeldOutText
{
    private readonly IReadOnlyList<Domain> _domains;
    private readonly int _batch;
    private readonly Device _device;

    private HeldOutText(IReadOnlyList<Domain> domains, string? corpus, int batch, Device device) =>
        (_domains, Corpus, _batch, _device) = (domains, corpus, batch, device);

    /// <summary>What all domains together are called; null where there is but one, or no name.</summary>
    public string? Corpus { get; }

    /// <summary>Reads the beginning of each domain.</summary>
    /// <exception cref="UserInputException">There is no such text.</exception>
    public static async Task<HeldOutText> OpenAsync(
        StageContext context, TrainOptions options, ValidateOptions validate, TextDataset dataset, ITokenizer tokenizer, CancellationToken cancellationToken)
    {
        using var split = await TokenizedSplit.OpenAsync(
            dataset, validate.Split, tokenizer, context.Cache, context.Progress.Report, cancellationToken).ConfigureAwait(false);
        var domains = split.Domains.Select(domain => Domain.Of(domain, options.Length, validate.Tokens, tokenizer)).Where(d => d.Windows.Count > 0).ToList();
        if (domains.Count == 0)
        {
            throw new UserInputException(
                $"'validate' measures on {validate.Split} text, and the dataset has none ({dataset.Properties.Source}): use a larger one, or leave "
                + "'validate' out.");
        }
        var corpus = domains.Count > 1 && domains.TrueForAll(d => d.Name != dataset.CorpusName) ? dataset.CorpusName : null;
        return new HeldOutText(domains, corpus, Math.Max(1, options.Batch / context.MemoryDivisor), new Device(context.Device));
    }

    /// <summary>Mean loss in nats per token of each domain, and of all where they have a name together.</summary>
    public HeldOutLosses Measure(MoeDecoder decoder)
    {
        var (type, sums) = (decoder.ComputeType, new Dictionary<string, double>());
        decoder.ComputeType = decoder.Buffer.Values.dtype; // as an evaluation reads the weights
        try
        {
            foreach (var domain in _domains)
                sums[domain.Name] = Sum(decoder, domain);
        }
        finally
        {
            decoder.ComputeType = type;
        }
        var losses = _domains.ToDictionary(d => d.Name, d => sums[d.Name] / d.Scored);
        var all = sums.Values.Sum() / _domains.Sum(d => d.Scored);
        if (Corpus is not null)
            losses[Corpus] = all;
        return new HeldOutLosses(all, losses);
    }

    private double Sum(MoeDecoder decoder, Domain domain)
    {
        var total = 0.0;
        foreach (var windows in domain.Windows.GroupBy(w => w.Inputs.Length).SelectMany(equal => equal.Chunk(_batch)))
        {
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            var length = windows[0].Inputs.Length;
            var stream = decoder.Embed(tensor([.. windows.SelectMany(w => w.Inputs)], [windows.Length, length], device: _device)); // (B, S, H)
            for (var layer = 0; layer < decoder.Config.Layers; layer++)
                stream = decoder.RunLayer(layer, stream);
            var targets = tensor([.. windows.SelectMany(w => w.Targets)], device: _device);                                        // (B S)
            var losses = decoder.TokenLosses(stream.flatten(0, 1), targets).to(float64);                                           // (B S)
            if (windows.Any(w => w.Unscored.Count > 0))
                losses = losses * tensor([.. windows.SelectMany((_, i) => windows[i].Scores())], device: _device);
            total += losses.sum().item<double>();
        }
        return total;
    }

    private sealed record Domain(string Name, IReadOnlyList<Window> Windows)
    {
        public long Scored { get; } = Windows.Sum(w => (long)w.Inputs.Length - w.Unscored.Count);

        /// <summary>Cuts the beginning of a domain into windows; a beginning-of-text token is read and not scored.</summary>
        public static Domain Of(TokenizedDomain domain, int length, long tokens, ITokenizer tokenizer)
        {
            var first = tokenizer.AddsBeginToken ? 1 : 0; // the stream's own first token stands before it, or else an end token
            var count = (int)Math.Min(Math.Min(tokens, domain.Tokens - first), int.MaxValue / 2);
            if (count <= 0)
                return new Domain(domain.Name, []);
            var ids = new int[count + 1];
            ids[0] = tokenizer.EndTokenId;
            domain.Read(0, first > 0 ? ids : ids.AsSpan(1));
            var starts = first > 0 ? domain.Documents.Select(d => d.Start).TakeWhile(start => start <= count).Where(start => start > 0).ToHashSet() : [];
            var windows = new List<Window>();
            for (var at = 0; at < count; at += length)
            {
                var size = Math.Min(length, count - at);
                windows.Add(new Window(
                    [.. ids.AsSpan(at, size).ToArray().Select(id => (long)id)],
                    [.. ids.AsSpan(at + 1, size).ToArray().Select(id => (long)id)],
                    [.. Enumerable.Range(0, size).Where(i => starts.Contains(at + i + 1))]));
            }
            return new Domain(domain.Name, windows);
        }
    }

    private sealed record Window(long[] Inputs, long[] Targets, IReadOnlyList<int> Unscored)
    {
        public double[] Scores() => [.. Enumerable.Range(0, Inputs.Length).Select(i => Unscored.Contains(i) ? 0.0 : 1.0)];
    }
}

/// <summary>Losses on held-out text at one time.</summary>
/// <param name="All">Nats per token of all of it.</param>
/// <param name="Domains">Nats per token by domain.</param>
public sealed record HeldOutLosses(double All, IReadOnlyDictionary<string, double> Domains);
