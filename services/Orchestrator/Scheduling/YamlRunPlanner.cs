using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Stages.Data;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Plans against the schemas that workers advertised.</summary>
internal sealed class YamlRunPlanner : IRunPlanner
{
    public PipelinePlan Plan(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, Func<string, ManifestRef?>? models) =>
        PipelinePlanner.Plan(submit.Pipeline, submit.FileName, submit.Parameters, new PlanningContext
        {
            Stages = [.. stages.DistinctBy(s => s.Kind).Select(StageDefinition.From)],
            Fingerprint = DatasetBuilder.Fingerprint,
            ResolveModel = models,
        });
}
