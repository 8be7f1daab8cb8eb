using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

/// <summary>A scope per test, and assertions about elements that read like the values.</summary>
public abstract class TensorTest : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    protected static Tensor Floats(params float[] values) => tensor(values);

    protected static Tensor Longs(params long[] values) => tensor(values);

    protected static Tensor Matrix(int columns, params float[] values) => tensor(values).view(-1, columns);
}

internal static class TensorAssertions
{
    public static void ShouldHold(this Tensor actual, params float[] expected)
    {
        float[] values = actual.to(float32).contiguous().data<float>().ToArray();
        values.Length.ShouldBe(expected.Length);
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsFinite(expected[i]))
                values[i].ShouldBe(expected[i], 1e-5 * Math.Max(1, Math.Abs(expected[i])), $"element {i}");
            else
                values[i].ShouldBe(expected[i], $"element {i}");
        }
    }

    public static void ShouldHold(this Tensor actual, params long[] expected) =>
        actual.to(int64).contiguous().data<long>().ToArray().ShouldBe(expected);

    public static void ShouldHold(this Tensor actual, params bool[] expected) =>
        actual.contiguous().data<bool>().ToArray().ShouldBe(expected);
}
