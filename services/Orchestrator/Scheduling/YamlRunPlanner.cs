using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Datasets;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Plans against the schemas that workers advertised: reads the file, looks up the registered models that it names, and makes the plan.</summary>
internal sealed class YamlRunPlanner(IRegisteredModels? models = null) : IRunPlanner
{
    public async Task<PipelinePlan> PlanAsync(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, CancellationToken cancellationToken)
    {
        var draft = PipelineDraft.Read(submit.Pipeline, submit.FileName, submit.Parameters, new PlanningContext
        {
            Stages = [.. stages.DistinctBy(s => s.Kind).Select(StageDefinition.From)],
            Fingerprint = DatasetBuilder.Fingerprint,
        });
        if (models is null)
            return draft.ToPlan(null);
        var found = new Dictionary<string, ManifestRef?>();
        foreach (var reference in draft.ModelReferences)
            found[reference] = await models.FindAsync(reference, cancellationToken).ConfigureAwait(false);
        return draft.ToPlan(reference => found.GetValueOrDefault(reference));
    }
}
