using Espalier.Modeling.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.Modeling.WeightFormats;

/// <summary>Reads weights that may be stored packed.</summary>
public static class StoredMatrix
{
    /// <summary>A weight by its plain name, in its stored type; expanded when the source holds it packed.</summary>
    /// <param name="config">Configuration of the model, which names the format.</param>
    /// <param name="source">The stored tensors.</param>
    /// <param name="weight">Name of the plain weight.</param>
    /// <exception cref="InvalidModelException">It is missing, or its packed parts do not fit each other.</exception>
    public static Tensor Read(ModelConfig config, IWeightSource source, string weight)
    {
        if (config.Quantization is { } quantization && IsPacked(quantization, source.Names, weight))
            return Expand(quantization, source, weight);
        return source.Names.Contains(weight) ? source.Read(weight)
            : throw new InvalidModelException($"tensor '{source.NameInFile(weight)}' is missing");
    }

    /// <summary>Expands a weight that the source holds packed.</summary>
    internal static Tensor Expand(WeightQuantization quantization, IWeightSource source, string weight)
    {
        using var scope = NewDisposeScope();
        return WeightFormat.Of(quantization.Format).Unpack(weight, source.Read, quantization).MoveToOuterDisposeScope();
    }

    /// <summary>Whether a weight is among the names in packed form. Codes may lie under the plain name; what stands beside them then tells.</summary>
    internal static bool IsPacked(WeightQuantization quantization, IReadOnlyCollection<string> names, string weight) =>
        names.Contains(WeightFormat.Of(quantization.Format).Layout(weight, 1, 1, quantization).First(part => part.Name != weight).Name);
}
