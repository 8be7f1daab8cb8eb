using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Planning;
using Espalier.Stages;
using Espalier.Stages.Forecasts;

namespace Espalier.Cli.Planning;

/// <summary>
/// Walks a plan in order and says of every step whether its result is in the store, why not, and what it comes to. Reads
/// manifests and configurations, never a tensor. A step whose input is still to be made has no key yet; what it comes to
/// follows from the forecast of its input.
/// </summary>
internal sealed class PipelineForecaster(ArtifactStore? store, KnownWork known, IReadOnlyList<IStage> stages, IReadOnlyList<IStageForecast> forecasts, string numericsClass)
{
    private readonly Dictionary<string, StepPlan> _plans = [];
    private readonly Dictionary<string, StepCommit> _commits = [];
    private readonly Dictionary<Digest, ModelOutline?> _outlines = [];

    /// <summary>Does it.</summary>
    public async Task<PipelineForecast> ForecastAsync(PipelinePlan plan, CancellationToken cancellationToken)
    {
        foreach (var step in plan.Steps)
            _plans[step.Name] = await ForecastAsync(step, cancellationToken).ConfigureAwait(false);
        return new PipelineForecast { Name = plan.Name, Steps = [.. plan.Steps.Select(s => _plans[s.Name])] };
    }

    private async Task<StepPlan> ForecastAsync(PlannedStep step, CancellationToken cancellationToken)
    {
        var inputs = await OutlineAsync(step, cancellationToken).ConfigureAwait(false);
        var outline = new StageOutline(step.Name, step.Options, inputs);
        var plan = new StepPlan
        {
            Name = step.Name,
            Kind = step.Kind,
            Outlook = StepOutlook.Runs,
            Reason = "",
            Before = ModelShape.Of(outline.FindModel()),
            Options = step.Options,
            Inputs = step.Inputs,
            When = step.When,
        };
        if (step.Needs.Select(n => _plans.GetValueOrDefault(n)).FirstOrDefault(n => n?.Outlook is StepOutlook.Refused or StepOutlook.Skipped) is { } gone)
            return plan with { Outlook = StepOutlook.Skipped, Reason = $"needs '{gone.Name}', which is {(gone.Outlook == StepOutlook.Refused ? "refused" : "skipped")}" };
        if (IsMet(step) is false)
            return plan with { Outlook = StepOutlook.Skipped, Reason = $"its condition is false: {step.When}" };

        var (key, unmade) = KeyOf(step);
        if (unmade.Count == 0 && store is not null && await store.FindIntactStepAsync(key.ToDigest(), cancellationToken).ConfigureAwait(false) is { } commit)
        {
            _commits[step.Name] = commit;
            var model = commit.Outputs.TryGetValue(OutputNames.Model, out var made) ? await OutlineAsync(made.Root, cancellationToken).ConfigureAwait(false) : null;
            return plan with { Outlook = StepOutlook.Cached, Reason = "its result is in the store", Model = model, After = ModelShape.Of(model), NewBytes = 0, SharedBytes = commit.Outputs.Values.Sum(o => o.SizeBytes) };
        }
        return await RunsAsync(plan, step, outline, key, unmade, cancellationToken).ConfigureAwait(false);
    }

    private async Task<StepPlan> RunsAsync(StepPlan plan, PlannedStep step, StageOutline outline, StepKey key, IReadOnlyList<string> unmade, CancellationToken cancellationToken)
    {
        StepForecast? forecast;
        try
        {
            forecast = Find(step.Kind)?.Forecast(outline);
        }
        catch (Exception e) when (e is UserInputException or InvalidModelException)
        {
            return plan with { Outlook = StepOutlook.Refused, Reason = e.Message };
        }
        var nearest = known.Nearest(step.Name, key);
        return plan with
        {
            Outlook = IsMet(step) is null ? StepOutlook.Conditional : StepOutlook.Runs,
            Reason = Reason(nearest, key, unmade),
            Model = forecast?.Model,
            After = ModelShape.Of(forecast?.Model),
            NewBytes = forecast?.NewBytes,
            SharedBytes = forecast?.SharedBytes,
            MemoryBytes = forecast?.MemoryBytes,
            Seconds = nearest is { } like ? await ScaleAsync(like.Receipt, forecast, cancellationToken).ConfigureAwait(false) : null,
        };
    }

    private static string Reason((Stages.Worker.StepReceipt Receipt, IReadOnlyList<KeyDifference> Differences)? nearest, StepKey key, IReadOnlyList<string> unmade)
    {
        if (unmade.Count == 0 || nearest is null)
            return MissReason.Of(nearest, key);
        var waits = $"reads what {string.Join(", ", unmade.Distinct().Select(u => $"'{u}'"))} will make";
        var own = nearest.Value.Differences.Where(d => !d.Path.StartsWith("inputs", StringComparison.Ordinal)).ToList();
        return own.Count == 0 ? waits : $"{waits}; {MissReason.Of((nearest.Value.Receipt, own), key)}";
    }

    /// <summary>The key, in which a made-up root stands for inputs that are still to be made, and the steps that make those.</summary>
    private (StepKey Key, IReadOnlyList<string> Unmade) KeyOf(PlannedStep step)
    {
        var unmade = new List<string>();
        var inputs = new List<StepInput>();
        foreach (var input in step.Inputs)
        {
            var artifact = input.Artifact ?? _commits.GetValueOrDefault(input.Step)?.Outputs.GetValueOrDefault(input.Output);
            if (artifact is null)
                unmade.Add(input.Step);
            inputs.Add(new StepInput(input.Step, input.As, artifact ?? new ManifestRef(ArtifactKind.Report, Digest.Of([]), 0)));
        }
        var stage = stages.First(s => s.Kind == step.Kind);
        return (StepKey.Of(step.Kind, StageVersion.Of(stage.GetType()), numericsClass, step.Options, inputs), unmade);
    }

    /// <summary>Whether the condition is met; null when it asks for metrics that do not exist yet.</summary>
    private bool? IsMet(PlannedStep step)
    {
        if (step.When is null)
            return true;
        var condition = Condition.Parse(step.When);
        return condition.Metrics.Any(m => !_commits.ContainsKey(m.Step)) ? null : condition.IsMet(name => _commits[name].Metrics);
    }

    private async Task<IReadOnlyList<InputOutline>> OutlineAsync(PlannedStep step, CancellationToken cancellationToken)
    {
        var inputs = new List<InputOutline>();
        foreach (var input in step.Inputs)
        {
            var model = input.Output != OutputNames.Model ? null
                : input.Artifact is { } artifact ? await OutlineAsync(artifact.Root, cancellationToken).ConfigureAwait(false)
                : _plans.GetValueOrDefault(input.Step)?.Model;
            inputs.Add(new InputOutline(input.As, input.Step, model));
        }
        return inputs;
    }

    private async Task<ModelOutline?> OutlineAsync(Digest root, CancellationToken cancellationToken)
    {
        if (_outlines.TryGetValue(root, out var outline))
            return outline;
        try
        {
            var reader = await CheckpointReader.OpenAsync(store!, root, cancellationToken).ConfigureAwait(false);
            outline = reader.Manifest.Kind == ArtifactKind.Checkpoint ? ModelOutline.Of(reader) : null;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidModelException)
        {
            // Of an earlier run whose artifacts were swept, or not ours to forecast: there is nothing to compare with.
        }
        return _outlines[root] = outline;
    }

    /// <summary>The time that work took, times how much more arithmetic the planned work has.</summary>
    private async Task<double> ScaleAsync(Stages.Worker.StepReceipt receipt, StepForecast? planned, CancellationToken cancellationToken)
    {
        var seconds = receipt.Duration.TotalSeconds;
        if (planned is not { Operations: > 0 } || Find(receipt.Kind) is not { } stage)
            return seconds;
        var inputs = new List<InputOutline>();
        foreach (var input in receipt.Key!.Inputs)
            inputs.Add(new InputOutline(input.As, input.Step, input.As is OutputNames.Model or "from" ? await OutlineAsync(input.Root, cancellationToken).ConfigureAwait(false) : null));
        try
        {
            var before = stage.Forecast(new StageOutline(receipt.Step, receipt.Key.Options, inputs)).Operations;
            return before > 0 ? seconds * planned.Operations / before : seconds;
        }
        catch (UserInputException)
        {
            return seconds; // its inputs are gone, so its size is not known
        }
    }

    private IStageForecast? Find(string kind) => forecasts.FirstOrDefault(f => f.Kind == kind);
}
