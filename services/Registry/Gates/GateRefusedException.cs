namespace Espalier.Registry.Gates;

/// <summary>An alias did not move: the version does not pass the alias's gate.</summary>
public sealed class GateRefusedException(string gate, string rule, IReadOnlyList<string> failed)
    : Exception($"the gate of '{gate}' refuses it: {string.Join("; ", failed)}.")
{
    /// <summary>Alias that the gate guards, as <c>NAME@ALIAS</c>.</summary>
    public string Gate { get; } = gate;

    /// <summary>The rule.</summary>
    public string Rule { get; } = rule;

    /// <summary>What failed, each with the value that was found.</summary>
    public IReadOnlyList<string> Failed { get; } = failed;
}
