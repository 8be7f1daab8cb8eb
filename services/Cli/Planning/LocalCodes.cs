using Espalier.Modeling.Runtime;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Resolution;
using Espalier.Stages;

namespace Espalier.Cli.Planning;

/// <summary>The stages of this process, as a run in this process computes them.</summary>
internal sealed class LocalCodes(IReadOnlyList<IStage> stages) : IStageCodes
{
    public ValueTask<StageCode?> FindAsync(string kind, string device, CancellationToken cancellationToken) =>
        ValueTask.FromResult(stages.FirstOrDefault(s => s.Kind == kind)?.CodeOn(() => TorchRuntime.NumericsClass));
}
