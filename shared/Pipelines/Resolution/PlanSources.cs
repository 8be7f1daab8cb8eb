using Espalier.Contracts;
using Espalier.Pipelines.Keys;

namespace Espalier.Pipelines.Resolution;

/// <summary>Knows which code computes a stage kind.</summary>
public interface IStageCodes
{
    /// <summary>The code that new steps of a kind are computed by, or null when nobody offers it on that device.</summary>
    ValueTask<StageCode?> FindAsync(string kind, string device, CancellationToken cancellationToken);
}

/// <summary>Knows which results exist.</summary>
public interface IStepResults
{
    /// <summary>The result of a step key.</summary>
    Task<StoredResult> FindAsync(Digest key, CancellationToken cancellationToken);
}

/// <summary>What is known of a step's result.</summary>
/// <param name="Outcome">The result, whole; null when there is none.</param>
/// <param name="Damage">Why a result that is there cannot be used; null when nothing is wrong.</param>
public sealed record StoredResult(StepOutcome? Outcome, string? Damage = null)
{
    /// <summary>No result.</summary>
    public static StoredResult None { get; } = new(null, null);
}

/// <summary>What a step made.</summary>
/// <param name="Outputs">Artifacts by output name.</param>
/// <param name="Metrics">Metrics by name.</param>
public sealed record StepOutcome(IReadOnlyDictionary<string, ManifestRef> Outputs, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>What whoever uses the outputs must know, in sentences.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>Estimates what steps make and cost.</summary>
public interface IStepEstimator
{
    /// <summary>The estimate of a step, or null when nobody can tell in time.</summary>
    Task<StepEstimated?> EstimateAsync(StageCode code, EstimateStep step, CancellationToken cancellationToken);
}
