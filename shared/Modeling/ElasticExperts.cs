namespace Espalier.Modeling;

/// <summary>Numbers of experts per token that a model serves.</summary>
/// <param name="Least">The fewest.</param>
/// <param name="Most">The most.</param>
public sealed record ElasticExperts(int Least, int Most);
