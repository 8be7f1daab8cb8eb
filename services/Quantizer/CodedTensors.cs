using Espalier.Modeling.WeightFormats;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer;

/// <summary>One tensor as it is stored.</summary>
internal sealed record StoredTensor(string Name, string DType, long[] Shape, byte[] Bytes);

/// <summary>Turns a quantized matrix into the tensors of a weight format.</summary>
internal static class CodedTensors
{
    /// <summary>Codes, scales and whatever else the format stores.</summary>
    /// <param name="matrix">Codes with their grid.</param>
    /// <param name="format">How they are stored.</param>
    /// <param name="scheme">The kind of codes.</param>
    /// <param name="storedType">Element type of the model's weights.</param>
    public static IReadOnlyList<StoredTensor> Of(QuantizedMatrix matrix, IWeightFormat format, QuantizationScheme scheme, ScalarType storedType)
    {
        using var scope = NewDisposeScope();
        var quantization = scheme.In(format);
        var layout = format.Layout(matrix.Record.Name, matrix.Codes.shape[0], matrix.Codes.shape[1], quantization);
        var values = format.Pack(new CodedMatrix(matrix.Codes, matrix.Grid.Scales, matrix.Grid.ZeroPoints), quantization, storedType);
        return [.. layout.Zip(values, (part, value) => Stored(part.Name, value, part.StoredAs))];
    }

    /// <summary>A tensor as it is stored under a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="value">Its elements.</param>
    /// <param name="dtype">Its type in safetensors files; null for that of its elements.</param>
    public static StoredTensor Stored(string name, Tensor value, string? dtype = null)
    {
        var plain = value.cpu().contiguous();
        return new StoredTensor(name, dtype ?? ElementTypes.NameOf(plain.dtype), plain.shape, plain.bytes.ToArray());
    }
}
