using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Planning;
using Espalier.Stages;
using Espalier.Surgery.Estimates;

namespace Espalier.Cli.Planning;

/// <summary>
/// Walks a plan in order and says of every step whether its result is in the store, why not, and what it comes to. Reads
/// manifests and configurations, never a tensor. A step whose input is still to be made has no key yet; what it comes to
/// follows from the estimate of its input.
/// </summary>
internal sealed class PlanResolver(ArtifactStore? store, KnownWork known, IReadOnlyList<IStage> stages, IReadOnlyList<IStageEstimate> estimates, string numericsClass)
{
    private readonly Dictionary<string, ResolvedStep> _plans = [];
    private readonly Dictionary<string, StepCommit> _commits = [];
    private readonly Dictionary<Digest, ModelHeader?> _headers = [];

    /// <summary>Does it.</summary>
    public async Task<ResolvedPlan> ResolveAsync(PipelinePlan plan, CancellationToken cancellationToken)
    {
        foreach (var step in plan.Steps)
            _plans[step.Name] = await ResolveAsync(step, cancellationToken).ConfigureAwait(false);
        return new ResolvedPlan { Name = plan.Name, Steps = [.. plan.Steps.Select(s => _plans[s.Name])] };
    }

    private async Task<ResolvedStep> ResolveAsync(PlannedStep step, CancellationToken cancellationToken)
    {
        var inputs = await ReadHeaderAsync(step, cancellationToken).ConfigureAwait(false);
        var request = new EstimateRequest(step.Name, step.Options, inputs);
        var plan = new ResolvedStep
        {
            Name = step.Name,
            Kind = step.Kind,
            Decision = StepDecision.Runs,
            Reason = "",
            Before = ModelShape.Of(request.FindModel()),
            Options = step.Options,
            Inputs = step.Inputs,
            When = step.When,
        };
        if (step.Needs.Select(n => _plans.GetValueOrDefault(n)).FirstOrDefault(n => n?.Decision is StepDecision.Refused or StepDecision.Skipped) is { } gone)
            return plan with { Decision = StepDecision.Skipped, Reason = $"needs '{gone.Name}', which is {(gone.Decision == StepDecision.Refused ? "refused" : "skipped")}" };
        if (IsMet(step) is false)
            return plan with { Decision = StepDecision.Skipped, Reason = $"its condition is false: {step.When}" };

        var (key, unmade) = KeyOf(step);
        if (unmade.Count == 0 && store is not null && await store.FindIntactStepAsync(key.ToDigest(), cancellationToken).ConfigureAwait(false) is { } commit)
        {
            _commits[step.Name] = commit;
            var model = commit.Outputs.TryGetValue(OutputNames.Model, out var made) ? await ReadHeaderAsync(made.Root, cancellationToken).ConfigureAwait(false) : null;
            return plan with { Decision = StepDecision.Cached, Reason = "its result is in the store", Model = model, After = ModelShape.Of(model), NewBytes = 0, SharedBytes = commit.Outputs.Values.Sum(o => o.SizeBytes) };
        }
        return await RunsAsync(plan, step, request, key, unmade, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ResolvedStep> RunsAsync(ResolvedStep plan, PlannedStep step, EstimateRequest request, StepKey key, IReadOnlyList<string> unmade, CancellationToken cancellationToken)
    {
        StepEstimate? estimate;
        try
        {
            estimate = Find(step.Kind)?.Estimate(request);
        }
        catch (Exception e) when (e is UserInputException or InvalidModelException)
        {
            return plan with { Decision = StepDecision.Refused, Reason = e.Message };
        }
        var nearest = known.Nearest(step.Name, key);
        return plan with
        {
            Decision = IsMet(step) is null ? StepDecision.Conditional : StepDecision.Runs,
            Reason = Reason(nearest, key, unmade),
            Model = estimate?.Model,
            After = ModelShape.Of(estimate?.Model),
            NewBytes = estimate?.NewBytes,
            SharedBytes = estimate?.SharedBytes,
            MemoryBytes = estimate?.MemoryBytes,
            Seconds = nearest is { } like ? await ScaleAsync(like.Receipt, estimate, cancellationToken).ConfigureAwait(false) : null,
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
        return (stage.CodeOn(() => numericsClass).KeyOf(step.Options, inputs), unmade);
    }

    /// <summary>Whether the condition is met; null when it asks for metrics that do not exist yet.</summary>
    private bool? IsMet(PlannedStep step)
    {
        if (step.When is null)
            return true;
        var condition = Condition.Parse(step.When);
        return condition.Metrics.Any(m => !_commits.ContainsKey(m.Step)) ? null : condition.IsMet(name => _commits[name].Metrics);
    }

    private async Task<IReadOnlyList<EstimateInput>> ReadHeaderAsync(PlannedStep step, CancellationToken cancellationToken)
    {
        var inputs = new List<EstimateInput>();
        foreach (var input in step.Inputs)
        {
            var model = input.Output != OutputNames.Model ? null
                : input.Artifact is { } artifact ? await ReadHeaderAsync(artifact.Root, cancellationToken).ConfigureAwait(false)
                : _plans.GetValueOrDefault(input.Step)?.Model;
            inputs.Add(new EstimateInput(input.As, input.Step, model));
        }
        return inputs;
    }

    private async Task<ModelHeader?> ReadHeaderAsync(Digest root, CancellationToken cancellationToken)
    {
        if (_headers.TryGetValue(root, out var header))
            return header;
        try
        {
            var reader = await CheckpointReader.OpenAsync(store!, root, cancellationToken).ConfigureAwait(false);
            header = reader.Manifest.Kind == ArtifactKind.Checkpoint ? ModelHeader.Of(reader) : null;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidModelException)
        {
            // Of an earlier run whose artifacts were swept, or not ours to estimate: there is nothing to compare with.
        }
        return _headers[root] = header;
    }

    /// <summary>The time that work took, times how much more arithmetic the planned work has.</summary>
    private async Task<double> ScaleAsync(Stages.Worker.StepReceipt receipt, StepEstimate? planned, CancellationToken cancellationToken)
    {
        var seconds = receipt.Duration.TotalSeconds;
        if (planned is not { Operations: > 0 } || Find(receipt.Kind) is not { } stage)
            return seconds;
        var inputs = new List<EstimateInput>();
        foreach (var input in receipt.Key!.Inputs)
            inputs.Add(new EstimateInput(input.As, input.Step, input.As is OutputNames.Model or "from" ? await ReadHeaderAsync(input.Root, cancellationToken).ConfigureAwait(false) : null));
        try
        {
            var before = stage.Estimate(new EstimateRequest(receipt.Step, receipt.Key.Options, inputs)).Operations;
            return before > 0 ? seconds * planned.Operations / before : seconds;
        }
        catch (UserInputException)
        {
            return seconds; // its inputs are gone, so its size is not known
        }
    }

    private IStageEstimate? Find(string kind) => estimates.FirstOrDefault(f => f.Kind == kind);
}
