using Espalier.Modeling;
using Espalier.Quantizer.Methods;

namespace Espalier.Quantizer.Mixing;

/// <summary>
/// Matrices that have codes of one width: readers fuse queries, keys and values, gate and up, and all experts of a layer into one product each, and
/// expect the same of their parts.
/// </summary>
/// <param name="Name">A few words: <c>layer 3 experts gate and up</c>.</param>
/// <param name="Matrices">Names of their weights.</param>
internal sealed record MixedUnit(string Name, IReadOnlyList<string> Matrices)
{
    /// <summary>The units of a layer, in a fixed order.</summary>
    /// <param name="layer">Which layer.</param>
    /// <param name="matrices">Names of its weights that get codes.</param>
    public static IReadOnlyList<MixedUnit> Of(int layer, IReadOnlyList<string> matrices) =>
        [.. matrices.GroupBy(name => KindOf(name[TensorNames.Layer(layer).Length..])).Select(unit => new MixedUnit($"layer {layer} {unit.Key}", [.. unit]))];

    private static string KindOf(string name) => name.Split('.') switch
    {
        ["self_attn", "o_proj", ..] => "attention output",
        ["self_attn", ..] => "attention input",
        ["mlp", "experts", _, "down_proj", ..] => "experts down",
        ["mlp", "experts", ..] => "experts gate and up",
        ["mlp", "shared_expert", "down_proj", ..] => "shared expert down",
        ["mlp", "shared_expert", ..] => "shared expert gate and up",
        ["mlp", "down_proj", ..] => "down",
        _ => "gate and up",
    };
}

/// <summary>What was measured of a unit: its choices, and the matrices' lines of the report for each.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Matrices">Names of its weights.</param>
/// <param name="Choices">By rising bytes.</param>
/// <param name="Records">For each choice, a line for each matrix.</param>
internal sealed record MeasuredUnit(
    string Name, IReadOnlyList<string> Matrices, IReadOnlyList<BitChoice> Choices, IReadOnlyList<IReadOnlyList<MatrixRecord>> Records);

/// <summary>What the report says of a unit.</summary>
/// <param name="Unit">Its name.</param>
/// <param name="Bits">Bits that it got.</param>
/// <param name="Choices">What it could have had.</param>
public sealed record AllocationRecord(string Unit, int Bits, IReadOnlyList<BitChoice> Choices);
