using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Datasets;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Plans against the schemas that workers advertised. The planner itself never waits: it is asked again when the models that
/// the file names have been looked up.
/// </summary>
internal sealed class YamlRunPlanner(IRegisteredModels? models = null) : IRunPlanner
{
    public async Task<PipelinePlan> PlanAsync(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, CancellationToken cancellationToken)
    {
        var known = new Dictionary<string, ManifestRef?>();
        while (true)
        {
            var asked = new HashSet<string>();
            try
            {
                return Plan(submit, stages, reference =>
                {
                    if (!known.TryGetValue(reference, out var model))
                        asked.Add(reference);
                    return model;
                });
            }
            catch (UserInputException) when (asked.Count > 0)
            {
                foreach (var reference in asked)
                    known[reference] = await models!.FindAsync(reference, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private PipelinePlan Plan(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, Func<string, ManifestRef?> find) =>
        PipelinePlanner.Plan(submit.Pipeline, submit.FileName, submit.Parameters, new PlanningContext
        {
            Stages = [.. stages.DistinctBy(s => s.Kind).Select(StageDefinition.From)],
            Fingerprint = DatasetBuilder.Fingerprint,
            ResolveModel = models is null ? null : find,
        });
}
