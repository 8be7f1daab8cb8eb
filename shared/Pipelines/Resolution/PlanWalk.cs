using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Resolution;

/// <summary>
/// Walks a plan in order. A step whose input is still to be made has no key yet; what it costs follows from the estimate of
/// the step that makes its input.
/// </summary>
internal sealed class PlanWalk(PlanResolver resolver, IStepEstimator? estimator, PastSteps past, IStepRooms? rooms)
{
    private readonly Dictionary<string, ResolvedStep> _steps = [];
    private readonly Dictionary<string, StepOutcome?> _outcomes = [];
    private readonly Dictionary<string, JsonElement> _models = [];

    public async Task<ResolvedStep> ResolveAsync(PlannedStep step, CancellationToken cancellationToken)
    {
        var resolved = await DecideAsync(step, cancellationToken).ConfigureAwait(false);
        _steps[step.Name] = resolved;
        _outcomes.TryAdd(step.Name, null);
        return resolved;
    }

    private async Task<ResolvedStep> DecideAsync(PlannedStep step, CancellationToken cancellationToken)
    {
        var resolved = new ResolvedStep
        {
            Name = step.Name, Kind = step.Kind, Device = step.Device, Needs = step.Needs, Line = step.Line, IsImplicit = step.IsImplicit,
            When = step.When, Options = step.Options, Inputs = step.Inputs, Decision = StepDecision.Runs, Reason = "",
        };
        StepResolution resolution;
        try
        {
            resolution = await resolver.ResolveAsync(step, _outcomes, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UserInputException or ExpressionException)
        {
            return resolved with { Decision = StepDecision.Refused, Reason = e.Message };
        }
        resolved = resolved with { IsOffered = resolution.Code is not null, Key = resolution.Digest };
        if (step.Needs.Select(n => _steps.GetValueOrDefault(n)).FirstOrDefault(n => n?.Decision is StepDecision.Refused or StepDecision.Skipped) is { } gone)
        {
            var reason = $"needs '{gone.Name}', which is {(gone.Decision == StepDecision.Refused ? "refused" : "skipped")}";
            return resolved with { Decision = StepDecision.Skipped, Reason = reason };
        }
        if (resolution.IsMet == false)
            return resolved with { Decision = StepDecision.Skipped, Reason = $"its condition is false: {step.When}" };
        if (resolution.Code is null)
            return resolved with { Decision = DecisionOf(resolution), Reason = $"no worker offers '{step.Kind}' on {step.Device} now" };
        return resolution.Outcome is { } outcome
            ? await CachedAsync(resolved, step, resolution, outcome, cancellationToken).ConfigureAwait(false)
            : await RunsAsync(resolved, step, resolution, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ResolvedStep> CachedAsync(
        ResolvedStep resolved, PlannedStep step, StepResolution resolution, StepOutcome outcome, CancellationToken cancellationToken)
    {
        _outcomes[step.Name] = outcome;
        var made = outcome.Outputs.GetValueOrDefault(OutputNames.Model);
        var estimate = await EstimateAsync(step, resolution, made?.Root, cancellationToken).ConfigureAwait(false);
        return resolved with
        {
            Decision = StepDecision.Cached,
            Reason = "its result is in the store",
            Before = estimate?.Before,
            After = made is null ? null : estimate?.After,
            NewBytes = 0,
            SharedBytes = outcome.Outputs.Values.Sum(o => o.SizeBytes),
        };
    }

    private async Task<ResolvedStep> RunsAsync(ResolvedStep resolved, PlannedStep step, StepResolution resolution, CancellationToken cancellationToken)
    {
        var estimate = await EstimateAsync(step, resolution, null, cancellationToken).ConfigureAwait(false);
        if (estimate?.Refusal is { } refusal)
            return resolved with { Decision = StepDecision.Refused, Reason = refusal, Before = estimate.Before };
        if (estimate?.Model is { } model)
            _models[step.Name] = model;
        if (await WhyNoRoomAsync(step, estimate, cancellationToken).ConfigureAwait(false) is { } lack)
        {
            return resolved with
            {
                Decision = StepDecision.Refused, Reason = lack, Before = estimate!.Before, After = estimate.After, MemoryBytes = estimate.MemoryBytes,
            };
        }
        var nearest = past.Nearest(step.Name, resolution.Key!);
        return resolved with
        {
            Decision = DecisionOf(resolution),
            Reason = resolution.Damage is { } damage ? $"its result cannot be used: {damage}"
                : resolution.Code!.Traits.IsEffect ? "an effect: made sure in every run, and nothing changes where it holds already"
                : MissReason.Of(nearest, resolution.Key!, resolution.Unmade),
            Before = estimate?.Before,
            After = estimate?.After,
            NewBytes = estimate?.NewBytes,
            SharedBytes = estimate?.SharedBytes,
            MemoryBytes = estimate?.MemoryBytes,
            Choices = estimate?.Choices ?? [],
            Seconds = nearest is { } like ? await ScaleAsync(like.Step, resolution, estimate, cancellationToken).ConfigureAwait(false) : null,
        };
    }

    /// <summary>That nobody has as much memory as the step needs, and which option would change that; null when it fits, or when that is not known.</summary>
    private async Task<string?> WhyNoRoomAsync(PlannedStep step, StepEstimated? estimate, CancellationToken cancellationToken)
    {
        if (rooms is null || estimate?.MemoryBytes is not { } needed
            || await rooms.FindAsync(step.Device, cancellationToken).ConfigureAwait(false) is not { } room || needed <= room.Bytes)
            return null;
        var remedy = estimate.Smaller.FirstOrDefault(s => s.MemoryBytes <= room.Bytes) is { } smaller
            ? $"With {smaller.Change} it would need about {Gibibytes(smaller.MemoryBytes)}."
            : "No option of the step makes it fit: take a smaller model, or a machine with more memory.";
        return $"it needs about {Gibibytes(needed)} of memory, and {room.Where}. {remedy}";
    }

    private static string Gibibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");

    private static StepDecision DecisionOf(StepResolution resolution) => resolution.IsMet is null ? StepDecision.Conditional : StepDecision.Runs;

    /// <summary>The estimate, or null when there is none or when the model that goes in is not known.</summary>
    private async Task<StepEstimated?> EstimateAsync(PlannedStep step, StepResolution resolution, Digest? made, CancellationToken cancellationToken)
    {
        var inputs = new List<EstimateStepInput>();
        foreach (var input in step.Inputs)
        {
            if (!OutputNames.IsModel(input.Output))
            {
                inputs.Add(new EstimateStepInput(input.As, input.Step));
                continue;
            }
            var root = (input.Artifact ?? _outcomes.GetValueOrDefault(input.Step)?.Outputs.GetValueOrDefault(input.Output))?.Root;
            JsonElement? model = root is null && _models.TryGetValue(input.Step, out var estimated) ? estimated : null;
            if (root is null && model is null)
                return null;
            inputs.Add(new EstimateStepInput(input.As, input.Step, root, model));
        }
        if (estimator is null)
            return null;
        var request = new EstimateStep
        {
            Kind = step.Kind, Name = step.Name, Options = step.Options, Device = step.Device, Inputs = inputs, Made = made,
        };
        return await estimator.EstimateAsync(resolution.Code!, request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The time that like work took, times how much more arithmetic the planned work has.</summary>
    private async Task<double> ScaleAsync(PastStep like, StepResolution resolution, StepEstimated? planned, CancellationToken cancellationToken)
    {
        var seconds = like.Duration.TotalSeconds;
        if (planned is not { Operations: > 0 } || estimator is null)
            return seconds;
        var before = await estimator.EstimateAsync(resolution.Code!, new EstimateStep
        {
            Kind = like.Kind,
            Name = like.Step,
            Options = like.Key!.Options,
            Inputs = [.. like.Key.Inputs.Select(i => new EstimateStepInput(i.As, i.Step, IsModel(i.As) ? i.Root : null))],
        }, cancellationToken).ConfigureAwait(false);
        return before?.Operations > 0 ? seconds * planned.Operations / before.Operations : seconds;

        static bool IsModel(string input) => input is OutputNames.Model or InputNames.From or InputNames.Teacher;
    }
}
