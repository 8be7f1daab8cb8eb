namespace Espalier.Pruner.ExpertSelection;

/// <summary>What stays of one layer.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Experts">Experts that stay, ascending, by their old index.</param>
/// <param name="Neurons">For each expert that stays, its neurons that stay, ascending.</param>
public sealed record KeptUnits(int Layer, IReadOnlyList<int> Experts, IReadOnlyList<IReadOnlyList<int>> Neurons);
