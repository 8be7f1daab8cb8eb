using Espalier.Pipelines.Keys;

namespace Espalier.Pipelines.Resolution;

/// <summary>Work that was done before, as far as planning reads of its receipt.</summary>
public sealed record PastStep
{
    /// <summary>What names of receipts begin with in a store.</summary>
    public const string RecordPrefix = "receipts/";

    /// <summary>Name of the step.</summary>
    public required string Step { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>What the work depended on; null in receipts of old versions.</summary>
    public StepKey? Key { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Its wall time.</summary>
    public required TimeSpan Duration { get; init; }
}

/// <summary>Work that was done before, to compare planned work with.</summary>
public sealed class PastSteps
{
    private const int MostCompared = 200; // keys are compared field by field
    private readonly ILookup<string, PastStep> _byKind;

    /// <param name="steps">The work.</param>
    public PastSteps(IEnumerable<PastStep> steps) => _byKind = steps.Where(s => s.Key is not null).ToLookup(s => s.Kind);

    /// <summary>No work.</summary>
    public static PastSteps None { get; } = new([]);

    /// <summary>The work that is most like a key: of the same stage, rather of the same step, with the fewest differences, the newest.</summary>
    public (PastStep Step, IReadOnlyList<KeyDifference> Differences)? Nearest(string step, StepKey key) =>
        _byKind[key.Kind].OrderBy(s => s.Step == step ? 0 : 1).ThenByDescending(s => s.Started).Take(MostCompared)
            .Select(s => (Step: s, Differences: StepKey.Compare(s.Key!, key)))
            .OrderBy(s => s.Step.Step == step ? 0 : 1).ThenBy(s => s.Differences.Count).ThenByDescending(s => s.Step.Started)
            .Select(s => ((PastStep, IReadOnlyList<KeyDifference>)?)s)
            .FirstOrDefault();
}
