using System.Text.Json;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Surgery;
using Espalier.Upcycler.Metrics;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Calibration;

/// <summary>Scores of every expert of the source and, when gradients were taken, how many tokens each saw.</summary>
/// <param name="PerLayer">Scores per layer.</param>
/// <param name="Tokens">Tokens per layer and expert; null without gradients.</param>
public sealed record ScoreTable(IReadOnlyList<double[]> PerLayer, IReadOnlyList<long[]>? Tokens);

/// <summary>
/// Scores the source's experts. Weights and moments are read one tensor at a time and never reach the tensor engine;
/// finished layers are kept under the step's cursor.
/// </summary>
internal sealed class ExpertScores(StageContext context, MoeCheckpoint source, IUsefulnessMetric metric, UpcycleOptions options, CheckpointReader? trainerState)
{
    /// <summary>Scores every layer.</summary>
    /// <param name="calibration">Token batches (B, S) for gradient metrics; called only when they are needed.</param>
    /// <param name="cancellationToken">Stops after the unit of work.</param>
    public async Task<ScoreTable> ScoreAsync(Func<Task<IReadOnlyList<long[,]>>> calibration, CancellationToken cancellationToken)
    {
        var table = await LoadAsync(cancellationToken).ConfigureAwait(false);
        var layers = source.Config.SparseLayers.Count;
        if (table.PerLayer.Count == layers)
            return table;
        using var gradients = metric.NeedsGradients ? await GradientsAsync(calibration, cancellationToken).ConfigureAwait(false) : null;
        for (var layer = table.PerLayer.Count; layer < layers; layer++)
        {
            context.Progress.Report("scoring experts", layer, layers, "layers");
            cancellationToken.ThrowIfCancellationRequested();
            table = new ScoreTable([.. table.PerLayer, Score(source.Config.SparseLayers[layer], gradients)], gradients?.Tokens);
            // Gradients are gone after a restart, so their scores are only worth keeping when they are complete.
            if (gradients is null || layer + 1 == layers)
                await context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(table, WireJson.Options), cancellationToken).ConfigureAwait(false);
        }
        return table;
    }

    private async Task<ScoreTable> LoadAsync(CancellationToken cancellationToken)
    {
        var saved = await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return (saved is null ? null : JsonSerializer.Deserialize<ScoreTable>(saved, WireJson.Options)) ?? new ScoreTable([], null);
        }
        catch (JsonException e)
        {
            context.Progress.Log($"The saved position cannot be read; starting again. {e.Message}");
            return new ScoreTable([], null);
        }
    }

    private double[] Score(int layer, GradientNorms? gradients)
    {
        var (fc1Gradients, fc2Gradients) = gradients?.Norms(layer) ?? ([], []);
        var experts = Enumerable.Range(0, source.Config.Experts).ToList();
        return Combination.Combine(
            options.In(layer).Combine,
            [.. experts.Select(e => metric.Score(Half(layer, e, ["gate", "up"], fc1Gradients)))],
            [.. experts.Select(e => metric.Score(Half(layer, e, ["down"], fc2Gradients)))]);
    }

    private HalfNorms Half(int layer, int expert, string[] projections, double[] gradients)
    {
        var tensors = projections.Select(p => source.Projection(layer, expert, p)).ToList();
        return new HalfNorms(
            metric.NeedsWeights ? Math.Sqrt(tensors.Sum(t => FloatBytes.SumOfSquares(t.Name, t.DType, source.Read(t)))) : 0,
            metric.NeedsGradients ? gradients[expert] : 0,
            metric.NeedsSecondMoments ? Math.Sqrt(tensors.Sum(SecondMomentSquares)) : 0);
    }

    private double SecondMomentSquares(TensorEntry weight)
    {
        var name = "exp_avg_sq." + weight.Name;
        return trainerState!.Names.Contains(name)
            ? FloatBytes.SumOfSquares(name, trainerState.Describe(name).DType, trainerState.ReadAll(name))
            : throw new UserInputException($"metric: the trainer-state has no '{name}': it belongs to another model. Use gradient-squared.");
    }

    private async Task<GradientNorms> GradientsAsync(Func<Task<IReadOnlyList<long[,]>>> calibration, CancellationToken cancellationToken)
    {
        var batches = await calibration().ConfigureAwait(false);
        var norms = new GradientNorms(DecoderFiles.LoadDecoder(source.Reader, "source model", device: new Device(context.Device)));
        for (var batch = 0; batch < batches.Count; batch++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            context.Progress.Report("gradients", batch, batches.Count, "batches");
            using var scope = NewDisposeScope();
            context.Progress.Metric("loss", norms.Add(tensor(batches[batch]).to(new Device(context.Device))));
        }
        return norms;
    }
}
