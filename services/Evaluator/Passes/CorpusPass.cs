using System.Diagnostics;
using Espalier.Evaluator.Routing;
using Espalier.Evaluator.Texts;
using Espalier.Evaluator.Tasks;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>One pass over the held-out text: loss per document and, when asked for, routing.</summary>
internal static class CorpusPass
{
    /// <summary>Scores every token once; the tasks that need it share one pass.</summary>
    public static Task<CorpusResult> OfAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        measurement.KeepAsync("corpus", () => Run(measurement, cancellationToken), cancellationToken);

    private static CorpusResult Run(ModelMeasurement measurement, CancellationToken cancellationToken)
    {
        var (model, text, options) = (measurement.Model, measurement.Material.Text!, measurement.Options);
        var decoder = model.Decoder; // loaded outside the scopes below
        var streams = text.Tokenize(model.Tokenizer);
        var batches = WindowBatch.Of(streams, measurement.Material.Length, options.Batch);
        var total = streams.Sum(stream => stream.Scored);
        var losses = new double[text.Documents.Count];
        var tokens = new long[text.Documents.Count];
        using var routing = options.Tasks.Contains(RoutingTask.TaskName) && model.Config.IsMixture ? new RoutingCounter(model.Config, decoder.Device) : null;

        var clock = Stopwatch.StartNew();
        var done = 0L;
        foreach (var batch in batches)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            routing?.StartBatch(batch.Windows[0].Count);
            var scores = TokenLikelihood.Score(decoder, batch.Inputs(), batch.Targets(), routing);
            Attribute(batch, scores, losses, tokens);
            done += batch.Scored;
            measurement.Context.Progress.Report($"{model.Step}: held-out text", done, total, "tokens");
        }
        measurement.Context.Progress.Metric($"{model.Step}.tokens-per-second", done / Math.Max(clock.Elapsed.TotalSeconds, 1e-9));

        var domainOfWindow = batches.SelectMany(batch => batch.Windows).Select(window => window.Stream.Domain).ToList();
        return new CorpusResult
        {
            Losses = losses,
            Tokens = tokens,
            Routing = routing is null ? null : RoutingResult.Of(routing.Collect(), domainOfWindow, text.Domains, options.Seed),
        };
    }

    private static void Attribute(WindowBatch batch, double[] scores, double[] losses, long[] tokens)
    {
        var position = 0;
        foreach (var window in batch.Windows)
        {
            foreach (var document in window.Documents)
            {
                var score = scores[position++];
                if (document == TokenStream.NotScored)
                    continue;
                losses[document] += score;
                tokens[document]++;
            }
        }
    }
}

/// <summary>What one model's pass over the text found.</summary>
internal sealed record CorpusResult
{
    /// <summary>For each document, the sum of -ln p over its tokens and its end token.</summary>
    public required double[] Losses { get; init; }

    /// <summary>For each document, the number of tokens scored.</summary>
    public required long[] Tokens { get; init; }

    /// <summary>Routing, when asked for; none in a dense model.</summary>
    public RoutingResult? Routing { get; init; }
}
