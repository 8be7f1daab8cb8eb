using Espalier.Stages;

namespace Espalier.Evaluator.Passes;

/// <summary>Runs a pass with whole models where all of them are held whole, else a layer at a time.</summary>
/// <param name="context">Receives progress.</param>
/// <param name="limits">How much memory there is.</param>
/// <param name="unfinished">Where positions of the pass are kept.</param>
internal sealed class PassRunner(StageContext context, MemoryLimits limits, UnfinishedPass unfinished)
{
    /// <summary>The numbers of every batch.</summary>
    public async Task<IReadOnlyList<double[]>> RunAsync(PassWork work, CancellationToken cancellationToken)
    {
        if (work.Models.All(model => model.IsWhole))
            return WholePass.Run(context, work, cancellationToken);
        foreach (var model in work.Models)
            model.Dispose(); // what an earlier pass has loaded whole
        return await LayeredPass.RunAsync(context, work, unfinished, limits.StreamBytes, cancellationToken).ConfigureAwait(false);
    }
}
