using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Methods;
using Espalier.Quantizer.Mixing;

namespace Espalier.Quantizer;

/// <summary>The finished layers, taken together.</summary>
internal sealed record QuantizedLayers
{
    /// <summary>A line of the report for each matrix.</summary>
    public required IReadOnlyList<MatrixRecord> Records { get; init; }

    /// <summary>The layers' tensors; where one is stored under a name of its own, its name in the model.</summary>
    public required IReadOnlyList<(TensorEntry Entry, string? Name)> Tensors { get; init; }

    /// <summary>Bytes of codes, scales, zero points and shapes.</summary>
    public required long PackedBytes { get; init; }

    /// <summary>What was scaled before codes were chosen.</summary>
    public IReadOnlyList<FoldRecord> Folds { get; init; } = [];

    /// <summary>Which unit got how many bits; empty where all have the same.</summary>
    public IReadOnlyList<AllocationRecord> Allocation { get; init; } = [];

    /// <summary>Bits of each matrix, by the name of its weight; empty where all have the same.</summary>
    public IReadOnlyDictionary<string, int> Bits { get; init; } = new Dictionary<string, int>();

    /// <summary>Layers of one kind of codes.</summary>
    public static QuantizedLayers Of(IReadOnlyList<CheckpointReader> parts) => new()
    {
        Records = [.. parts.SelectMany(LayerParts.RecordsOf)],
        Tensors = [.. parts.SelectMany(part => part.Manifest.Tensors).Select(entry => (entry, (string?)null))],
        PackedBytes = parts.Sum(LayerParts.PackedBytesOf),
        Folds = [.. parts.SelectMany(LayerParts.FoldsOf)],
    };

    /// <summary>Layers whose units may have codes of several widths: those that the budget allows.</summary>
    /// <param name="parts">The layers, with the codes of every choice.</param>
    /// <param name="budget">Bytes of the model's tensors.</param>
    /// <param name="bytesOutside">Bytes of its tensors outside the layers.</param>
    public static QuantizedLayers Within(IReadOnlyList<CheckpointReader> parts, long budget, long bytesOutside)
    {
        var units = parts.SelectMany(MixedParts.UnitsOf).ToList();
        var plain = parts.SelectMany(part => part.Manifest.Tensors).Where(entry => MixedParts.ChoiceOf(entry.Name) is null).Sum(entry => entry.SizeBytes);
        var chosen = BitAllocation.Choose([.. units.Select(unit => unit.Choices)], budget - plain - bytesOutside);
        var bits = units.Zip(chosen).SelectMany(pair => pair.First.Matrices.Select(name => (name, pair.First.Choices[pair.Second].Bits)))
            .ToDictionary(pair => pair.name, pair => pair.Bits, StringComparer.Ordinal);
        return new QuantizedLayers
        {
            Records = [.. units.Zip(chosen).SelectMany(pair => pair.First.Records[pair.Second])],
            Tensors = [.. parts.SelectMany(part => part.Manifest.Tensors).SelectMany(Used)],
            PackedBytes = units.Zip(chosen).Sum(pair => pair.First.Choices[pair.Second].Bytes),
            Allocation = [.. units.Zip(chosen).Select(pair => new AllocationRecord(pair.First.Name, pair.First.Choices[pair.Second].Bits, pair.First.Choices))],
            Bits = bits,
        };

        IEnumerable<(TensorEntry, string?)> Used(TensorEntry entry)
        {
            if (MixedParts.ChoiceOf(entry.Name) is not var (name, choice))
                yield return (entry, null);
            else if (bits[name[..name.LastIndexOf('.')] + ".weight"] == choice)
                yield return (entry, name);
        }
    }
}
