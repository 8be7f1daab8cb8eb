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
    /// <summary>The result of a step key, whole, or null.</summary>
    Task<StepOutcome?> FindAsync(Digest key, CancellationToken cancellationToken);
}

/// <summary>What a step made.</summary>
/// <param name="Outputs">Artifacts by output name.</param>
/// <param name="Metrics">Metrics by name.</param>
public sealed record StepOutcome(IReadOnlyDictionary<string, ManifestRef> Outputs, IReadOnlyDictionary<string, double> Metrics);

/// <summary>Estimates what steps make and cost.</summary>
public interface IStepEstimator
{
    /// <summary>The estimate of a step, or null when nobody can tell in time.</summary>
    Task<StepEstimated?> EstimateAsync(StageCode code, EstimateStep step, CancellationToken cancellationToken);
}
