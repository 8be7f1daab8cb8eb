using Espalier.Contracts;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Resolution;

/// <summary>
/// The one way from a planned step to a decision: inputs, key, is its result there, and if not, what would it cost. The
/// scheduler asks it step by step; <c>plan</c> and the portal ask for a whole plan.
/// </summary>
/// <param name="codes">Who computes which kind.</param>
/// <param name="results">Which results exist.</param>
/// <param name="estimator">Estimates steps; null for no estimates.</param>
/// <param name="past">Work that was done before, for reasons and times.</param>
/// <param name="rooms">How much memory there is; null when any step counts as fitting.</param>
public sealed class PlanResolver(
    IStageCodes codes, IStepResults results, IStepEstimator? estimator = null, PastSteps? past = null, IStepRooms? rooms = null)
{
    private static readonly ManifestRef Unmade = new(ArtifactKind.Report, Digest.Of([]), 0);

    /// <summary>Decides one step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="upstream">What earlier steps made, by name; null for those that are still to run.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="UserInputException">It reads what no earlier step makes, or its condition reads a metric that does not exist.</exception>
    /// <exception cref="ExpressionException">Its condition cannot be read.</exception>
    public async Task<StepResolution> ResolveAsync(PlannedStep step, IReadOnlyDictionary<string, StepOutcome?> upstream, CancellationToken cancellationToken)
    {
        var isMet = IsMet(step, upstream);
        if (isMet == false)
            return new StepResolution { IsMet = false };
        var (inputs, unmade) = InputsOf(step, upstream);
        var resolution = new StepResolution { IsMet = isMet, Inputs = [.. inputs.Where(i => i.Artifact != Unmade)], Unmade = unmade };
        if (await codes.FindAsync(step.Kind, step.Device, cancellationToken).ConfigureAwait(false) is not { } code)
            return resolution;
        var key = code.KeyOf(step.Options, inputs);
        resolution = resolution with { Code = code, Key = key };
        if (unmade.Count > 0)
            return resolution;
        var digest = key.ToDigest();
        if (code.Traits.IsEffect)
            return resolution with { Digest = digest }; // that it happened once does not say that it still holds
        var result = await results.FindAsync(digest, cancellationToken).ConfigureAwait(false);
        return resolution with { Digest = digest, Outcome = result.Outcome, Damage = result.Damage };
    }

    /// <summary>Decides every step of a plan, in order.</summary>
    public async Task<ResolvedPlan> ResolveAsync(PipelinePlan plan, CancellationToken cancellationToken)
    {
        var walk = new PlanWalk(this, estimator, past ?? PastSteps.None, rooms);
        var steps = new List<ResolvedStep>();
        foreach (var step in plan.Steps)
            steps.Add(await walk.ResolveAsync(step, cancellationToken).ConfigureAwait(false));
        return new ResolvedPlan { Name = plan.Name, Parameters = plan.Parameters, Steps = steps };
    }

    private static bool? IsMet(PlannedStep step, IReadOnlyDictionary<string, StepOutcome?> upstream)
    {
        if (step.When is null)
            return true;
        var condition = Condition.Parse(step.When);
        return condition.Metrics.Any(m => upstream.TryGetValue(m.Step, out var outcome) && outcome is null)
            ? null
            : condition.IsMet(name => upstream.GetValueOrDefault(name)?.Metrics);
    }

    private static (IReadOnlyList<StepInput> Inputs, IReadOnlyList<string> Unmade) InputsOf(
        PlannedStep step, IReadOnlyDictionary<string, StepOutcome?> upstream)
    {
        var (inputs, unmade) = (new List<StepInput>(), new List<string>());
        foreach (var input in step.Inputs)
        {
            var artifact = input.Artifact ?? Find(step, input, upstream);
            if (artifact is null)
                unmade.Add(input.Step);
            inputs.Add(new StepInput(input.Step, input.As, artifact ?? Unmade));
        }
        return (inputs, unmade);
    }

    private static ManifestRef? Find(PlannedStep step, PlannedInput input, IReadOnlyDictionary<string, StepOutcome?> upstream)
    {
        if (!upstream.TryGetValue(input.Step, out var outcome))
            throw new UserInputException($"Step '{step.Name}' reads '{input.Step}.{input.Output}', but does not need that step.");
        if (outcome is null)
            return null;
        var made = string.Join(", ", outcome.Outputs.Keys.Order(StringComparer.Ordinal));
        return outcome.Outputs.GetValueOrDefault(input.Output)
            ?? throw new UserInputException($"Step '{step.Name}' reads '{input.Step}.{input.Output}', but that step made only {made}.");
    }
}
