using Espalier.Modeling.Checkpoints;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Stages.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer;

/// <summary>One tensor as it is stored.</summary>
internal sealed record PackedTensor(string Name, string DType, long[] Shape, byte[] Bytes);

/// <summary>Turns a quantized matrix into the tensors of compressed-tensors' <c>pack-quantized</c> format.</summary>
internal static class PackedMatrix
{
    /// <summary>Packed codes, scales, shape and, for asymmetric codes, packed zero points.</summary>
    public static IReadOnlyList<PackedTensor> Pack(QuantizedMatrix matrix, QuantizationScheme scheme, ScalarType storedType)
    {
        using var scope = NewDisposeScope();
        var weight = matrix.Record.Name;
        var tensors = new List<PackedTensor>
        {
            Stored(PackedWeights.PackedName(weight), PackedWeights.Pack(matrix.Codes.to(int8), scheme.Bits)), // (out, in b / 32)
            Stored(PackedWeights.ScaleName(weight), matrix.Grid.Scales.to(storedType)),                       // (out, groups)
            Stored(PackedWeights.ShapeName(weight), tensor(matrix.Codes.shape, dtype: int64)),                // (2)
        };
        if (matrix.Grid.ZeroPoints is { } zeroPoints)
        {
            var packed = PackedWeights.Pack(zeroPoints.to(int8).transpose(0, 1).contiguous(), scheme.Bits);   // (groups, out b / 32)
            tensors.Add(Stored(PackedWeights.ZeroPointName(weight), packed.transpose(0, 1)));
        }
        return tensors;
    }

    private static PackedTensor Stored(string name, Tensor value)
    {
        var plain = value.cpu().contiguous();
        return new PackedTensor(name, ElementTypes.NameOf(plain.dtype), plain.shape, plain.bytes.ToArray());
    }
}
