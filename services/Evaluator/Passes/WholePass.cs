using Espalier.Evaluator.Texts;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>Runs a pass with whole models in memory, batch after batch.</summary>
internal static class WholePass
{
    /// <summary>The numbers of every batch.</summary>
    public static List<double[]> Run(StageContext context, PassWork work, CancellationToken cancellationToken)
    {
        foreach (var model in work.Models)
            _ = model.Decoder; // loaded outside the scopes below
        var (results, done, total) = (new List<double[]>(work.Batches.Count), 0L, work.Batches.Sum(batch => (long)batch.Scored));
        foreach (var batch in work.Batches)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            results.Add(work.Finish(batch, [.. work.Models.Select(model => new BehindLayers(model.Decoder, Through(work, model, batch)))]));
            done += batch.Scored;
            context.Progress.Report(work.Phase, done, total, work.Unit);
        }
        return results;
    }

    private static Tensor Through(PassWork work, ModelUnderTest model, ITokenBatch batch)
    {
        var decoder = model.Decoder;
        var hidden = decoder.Embed(batch.Inputs().to(decoder.Device));        // (B, L, H)
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var before = hidden;
            using var scope = NewDisposeScope();
            var (next, trace) = decoder.RunLayerTraced(layer, before);
            if (trace is not null)
                work.Routing?.Add(trace, batch.Length);
            hidden = next.MoveToOuterDisposeScope();
        }
        return hidden.flatten(0, 1);                                          // (B L, H)
    }
}
