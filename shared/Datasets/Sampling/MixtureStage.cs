namespace Espalier.Datasets.Sampling;

/// <summary>How domains are mixed over a part of the order of the data.</summary>
/// <param name="Weights">Weight of each domain; those left out are not drawn.</param>
/// <param name="Until">Number of the first sequence that is not of this stage; null for the last stage.</param>
public sealed record MixtureStage(IReadOnlyDictionary<string, double> Weights, long? Until = null);
