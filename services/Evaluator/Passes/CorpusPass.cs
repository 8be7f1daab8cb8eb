using System.Diagnostics;
using Espalier.Evaluator.Routing;
using Espalier.Evaluator.Texts;
using Espalier.Evaluator.Tasks;

namespace Espalier.Evaluator.Passes;

/// <summary>One pass over the held-out text: loss per document and, when asked for, routing.</summary>
internal static class CorpusPass
{
    /// <summary>Scores every token once; the tasks that need it share one pass.</summary>
    public static Task<CorpusResult> OfAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        measurement.KeepAsync("corpus", runner => RunAsync(measurement, runner, cancellationToken), cancellationToken);

    private static async Task<CorpusResult> RunAsync(ModelMeasurement measurement, PassRunner runner, CancellationToken cancellationToken)
    {
        var (model, text, options) = (measurement.Model, measurement.Material.Text!, measurement.Options);
        var streams = text.Tokenize(model.Tokenizer);
        var batches = WindowBatch.Of(streams, measurement.Material.Length, options.Batch);
        using var routing = options.Tasks.Contains(RoutingTask.TaskName) && model.Config.IsMixture ? new RoutingCounter(model.Config, model.Device) : null;

        var clock = Stopwatch.StartNew();
        var scores = await runner.RunAsync(new PassWork
        {
            Phase = $"{model.Step}: held-out text",
            Unit = "tokens",
            Models = [model],
            Batches = batches,
            Finish = (batch, last) => TokenLikelihood.Score(last[0], batch.Targets()),
            Routing = routing,
        }, cancellationToken).ConfigureAwait(false);
        measurement.Context.Progress.Metric(
            $"{model.Step}.tokens-per-second", batches.Sum(batch => (long)batch.Scored) / Math.Max(clock.Elapsed.TotalSeconds, 1e-9));

        var losses = new double[text.Documents.Count];
        var tokens = new long[text.Documents.Count];
        foreach (var (batch, ofBatch) in batches.Zip(scores))
            Attribute(batch, ofBatch, losses, tokens);
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
        foreach (var (document, score) in batch.Documents.Zip(scores))
        {
            if (document == TokenStream.NotScored)
                continue;
            losses[document] += score;
            tokens[document]++;
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
