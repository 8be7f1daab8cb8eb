using Espalier.Artifacts.Checkpoints;

namespace Espalier.Registry.Comparisons;

/// <summary>Squared Frobenius norms of a difference and of its left side.</summary>
internal readonly record struct Norms(double Difference, double Left)
{
    /// <summary>|difference| / |left|; 0 when nothing moved, infinity has no place in JSON and becomes 1e300.</summary>
    public double Relative => Difference == 0 ? 0 : Left == 0 ? 1e300 : Math.Sqrt(Difference / Left);

    public static Norms Sum(IEnumerable<Norms> norms) => norms.Aggregate(new Norms(0, 0), (a, b) => new Norms(a.Difference + b.Difference, a.Left + b.Left));
}

/// <summary>Streams two tensors beside each other; memory is two buffers.</summary>
internal static class TensorNorms
{
    private const int ChunkBytes = 4 << 20;

    /// <summary>Norms of two tensors, or null when they cannot be compared: one is missing, or shapes or types are not numbers of one shape.</summary>
    public static Norms? Find(CheckpointReader left, string leftName, CheckpointReader right, string rightName, CancellationToken cancellationToken)
    {
        if (!IsPresent(left, leftName) || !IsPresent(right, rightName))
            return null;
        var (a, b) = (left.Entry(leftName), right.Entry(rightName));
        if (!a.Shape.SequenceEqual(b.Shape) || !IsFloat(a.DType) || !IsFloat(b.DType))
            return null;
        var isSame = a.DType == b.DType && a.Blob == b.Blob && a.Offset == b.Offset;
        var elements = a.SizeBytes / FloatBytes.ElementSize(a.DType);
        double difference = 0, norm = 0;
        for (long at = 0; at < elements;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = (int)Math.Min(elements - at, ChunkBytes / 8);
            var x = Read(left, leftName, a.DType, at, count);
            var y = isSame ? x : Read(right, rightName, b.DType, at, count);
            for (var i = 0; i < count; i++)
            {
                double value = x[i], moved = y[i] - value;
                norm += value * value;
                difference += moved * moved;
            }
            at += count;
        }
        return new Norms(difference, norm);
    }

    public static bool IsFloat(string dtype) => dtype is "F64" or "F32" or "F16" or "BF16";

    public static bool IsPresent(CheckpointReader reader, string name) => reader.Find(name) is not null;

    public static float[] Read(CheckpointReader reader, string name, string dtype, long element, int count)
    {
        var size = FloatBytes.ElementSize(dtype);
        var bytes = new byte[count * size];
        reader.ReadRange(name, element * size, bytes);
        return FloatBytes.ToFloats(dtype, bytes);
    }
}
