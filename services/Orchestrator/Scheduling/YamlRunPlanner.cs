using System.Runtime.CompilerServices;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Plans against the schemas that workers advertised: reads the file, looks up the registered models and datasets that it names, and makes the plan.
/// The user's text is hashed for that, so it happens on a thread of its own, few at a time, and ends with the request.
/// </summary>
/// <param name="models">Registered models and datasets; null where there are none.</param>
/// <param name="folders">What may be read of this machine; null for everything, where the user plans on their own machine.</param>
/// <param name="uploads">The users' own files that were uploaded; null where there are none.</param>
internal sealed class YamlRunPlanner(IRegisteredModels? models = null, DataFolders? folders = null, UploadStore? uploads = null) : IRunPlanner
{
    private const int AtOnce = 2;
    private readonly SemaphoreSlim _planning = new(AtOnce);

    // Schemas are read once for several plans over the same offers.
    private readonly ConditionalWeakTable<IReadOnlyList<StageAdvertised>, List<StageDefinition>> _definitions = [];

    public async Task<PipelinePlan> PlanAsync(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, CancellationToken cancellationToken)
    {
        var draft = PipelineDraft.Read(submit.Pipeline, submit.FileName, submit.Parameters, new PlanningContext
        {
            Stages = _definitions.GetValue(stages, offered => [.. offered.DistinctBy(s => s.Kind).Select(StageDefinition.From)]),
            Fingerprint = source => DatasetBuilder.Fingerprint(source, cancellationToken),
            Examine = source => DatasetBuilder.Examine(
                new TextSource(source.From) { Field = source.Field, Name = source.Name }, cancellationToken),
            Admit = folders is null ? null : folders.Check,
        });
        foreach (var upload in draft.Uploads)
        {
            if (uploads is null || !await uploads.UseAsync(upload.Fingerprint, cancellationToken).ConfigureAwait(false))
                throw UploadStore.Missing(upload);
        }
        var found = new Dictionary<string, ModelFound>();
        if (models is not null)
        {
            foreach (var reference in draft.References)
                found[reference] = await models.FindAsync(reference, cancellationToken).ConfigureAwait(false);
        }
        await _planning.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await Task.Run(
                () => draft.ToPlan(models is null ? null : reference => found[reference]), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _planning.Release();
        }
    }
}
