using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Folding;

/// <summary>Has a method choose the scales of every fused group of a layer.</summary>
internal sealed class FoldSearch(QuantizationWork work, StageContext context, IFoldingMethod method)
{
    /// <summary>The scales, which the caller disposes, and a line of the report for each group.</summary>
    /// <param name="layer">Which layer.</param>
    /// <param name="coded">Its matrices that get codes.</param>
    /// <param name="collector">What calibration saw of it.</param>
    /// <param name="cancellationToken">Stops before the next group.</param>
    public (LayerFold Fold, IReadOnlyList<FoldRecord> Records) Find(
        int layer, IReadOnlyList<string> coded, HessianCollector collector, CancellationToken cancellationToken)
    {
        using var untracked = no_grad();
        var (fold, records) = (new LayerFold(), new List<FoldRecord>());
        var groups = FoldGroups.Of(work.Config, layer, coded, work.Source.Names);
        try
        {
            foreach (var group in groups)
            {
                cancellationToken.ThrowIfCancellationRequested();
                context.Progress.Report(
                    $"layer {layer + 1} of {work.Config.Layers}: scales of {records.Count} of {groups.Count} inputs", layer, work.Config.Layers, "layers");
                using var scope = NewDisposeScope();
                var maker = work.Weights.Read(group.Maker);
                QuantizationWork.RefuseNonFinite(group.Maker, maker);
                var found = method.FindScales(new FoldedInput(group, Read, collector, work.Weights.Describe(group.Coded[0]).Type), work.Scheme, context);
                if (found.Scales is { } scales)
                    fold.Add(group, scales, maker);
                records.Add(new FoldRecord(group.Maker, found.Exponent, found.Error, found.ErrorWithout));
            }
            return (fold, records);
        }
        catch
        {
            fold.Dispose();
            throw;
        }
    }

    private Tensor Read(string name)
    {
        using var scope = NewDisposeScope();
        return work.ReadMatrix(name).to(float32).MoveToOuterDisposeScope();
    }
}
