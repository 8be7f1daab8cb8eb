using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Notices;
using Espalier.Orchestrator.Triggers.Watching;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Checks a pipeline before it is added, and adds it.</summary>
internal sealed class PipelineAddition(
    RegisteredPipelines pipelines, StageCatalog stages, HookSecrets secrets, WatchedPlaces? places = null, NoticeTargets? notices = null)
{
    private static readonly ManifestRef AnyModel = new(ArtifactKind.Checkpoint, default, 0);

    /// <summary>Adds a pipeline file under a name; the answer says what its author may not expect.</summary>
    /// <param name="name">The name, which is also that of the file's pipeline.</param>
    /// <param name="fileName">Name of the file, for messages.</param>
    /// <param name="yaml">Its text.</param>
    /// <param name="owner">Who adds it; its triggers run in this name.</param>
    /// <param name="mayReplace">Whether it may be that of another owner.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="UserInputException">The file is wrong, or would start itself without end.</exception>
    public async Task<PipelineView> AddAsync(
        string name, string fileName, string yaml, string owner, bool mayReplace, CancellationToken cancellationToken)
    {
        var offered = await stages.ListAsync(cancellationToken).ConfigureAwait(false);
        if (offered.Count == 0)
        {
            throw new UserInputException(
                $"{fileName} cannot be checked: no worker has said yet which stages it offers. Start the workers, and add it again.");
        }
        // Models and texts may come later: they are looked up when a run starts. Everything else is wrong now or never.
        var plan = PipelineDraft.Read(yaml, fileName, new Dictionary<string, string>(), new PlanningContext
        {
            Stages = [.. offered.DistinctBy(s => s.Kind).Select(StageDefinition.From)],
            Admit = places is null ? null : places.Folders.Check,
        }).ToPlan(_ => new ModelFound(AnyModel));
        if (plan.Name != name)
            throw new UserInputException($"{fileName}: the pipeline is named '{plan.Name}', and is added as '{name}': use the same name.");
        SelfTriggers.Check(plan, fileName, out var warnings);
        warnings = [.. warnings, .. CheckSettings(plan)];
        var row = new PipelineRow { Name = name, FileName = fileName, Yaml = yaml, Owner = owner };
        await pipelines.AddAsync(row, plan.Triggers, mayReplace, cancellationToken).ConfigureAwait(false);
        return (await pipelines.ShowAsync(name, cancellationToken).ConfigureAwait(false))! with { Warnings = warnings };
    }

    /// <summary>Refuses places that may not be watched; the secrets and the people that are still to be set.</summary>
    private List<string> CheckSettings(PipelinePlan plan)
    {
        var warnings = new List<string>();
        foreach (var trigger in plan.Triggers)
        {
            var settings = trigger.ReadSettings();
            if (settings is IWatchSettings watch)
                places?.Check(watch);
            if (settings is IWebhookSettings hook && secrets.Find(hook.Secret) is null)
                warnings.Add($"on: {trigger.Label}: {HookSecrets.Remedy(hook.Secret)}.");
        }
        var unknown = plan.Notices.Select(n => n.Target).Distinct().Where(t => notices?.Exists(t) == false);
        warnings.AddRange(unknown.Select(t => $"notify: {NoticeTargets.Remedy(t)}"));
        return warnings;
    }
}
