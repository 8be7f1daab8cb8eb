using Espalier.Contracts;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>Metrics of training by several workers.</summary>
internal static class TeamMetrics
{
    /// <summary>While it runs: optimizer steps that the slowest worker is behind.</summary>
    public const string Behind = "steps-behind";

    /// <summary>While it runs: bytes that the worker gives the others in an exchange.</summary>
    public const string Uploaded = "uploaded-bytes";

    private const string Exchanges = "synchronisations";
    private const string Bytes = "synchronisation-bytes";

    /// <summary>What the result tells.</summary>
    public static IEnumerable<StageMetric> All { get; } = StageMetric.Named([Exchanges, Bytes], ("workers", []));

    /// <summary>Their values.</summary>
    /// <param name="exchanges">Number of exchanges.</param>
    /// <param name="bytes">Bytes that all workers together put into the store in one of them.</param>
    public static IReadOnlyDictionary<string, double> Of(long exchanges, long bytes) =>
        new Dictionary<string, double> { [Exchanges] = exchanges, [Bytes] = bytes };
}
