using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class FactoryTests : TensorTest
{
    [Fact]
    public void Tensor_FromScalars_HasTheTypeOfTheScalar()
    {
        tensor(1f).dtype.ShouldBe(float32);
        tensor(1d).dtype.ShouldBe(float64);
        tensor(1).dtype.ShouldBe(int32);
        tensor(1L).dtype.ShouldBe(int64);
        tensor(true).dtype.ShouldBe(torch.@bool);
        tensor(1.5, dtype: bfloat16).dtype.ShouldBe(bfloat16);
        tensor(2.5f).item<float>().ShouldBe(2.5f);
        tensor(3L).shape.ShouldBeEmpty();
    }

    [Fact]
    public void Tensor_FromArrays_KeepsShapeAndOrder()
    {
        var square = tensor(new[,] { { 1f, 2f }, { 3f, 4f } });

        square.shape.ShouldBe([2L, 2L]);
        square.ShouldHold(1f, 2f, 3f, 4f);
        tensor(new long[] { 1, 2, 3, 4 }, [2, 2]).shape.ShouldBe([2L, 2L]);
        tensor(new List<float> { 1, 2 }).ShouldHold(1f, 2f);
        tensor(new[] { true, false }).ShouldHold(true, false);
        tensor(new float[] { 1, 2 }, dtype: int64).ShouldHold(1L, 2L);
        from_array(new int[2, 3]).shape.ShouldBe([2L, 3L]);
    }

    [Fact]
    public void Tensor_OfWrongSize_SaysWhatWasExpected() =>
        Should.Throw<ArgumentException>(() => tensor(new float[3], [2, 2])).Message.ShouldContain("has 4 elements, not 3");

    [Fact]
    public void Filled_Factories_GiveTheirValue()
    {
        zeros(2).ShouldHold(0f, 0f);
        ones(2, dtype: int64).ShouldHold(1L, 1L);
        ones([1, 2]).shape.ShouldBe([1L, 2L]);
        full(2, 1.5).ShouldHold(1.5f, 1.5f);
        full(2, 3).dtype.ShouldBe(int32);
        full([2], true).ShouldHold(true, true);
        empty(2, 3, 4).shape.ShouldBe([2L, 3L, 4L]);
        eye(2).ShouldHold(1f, 0f, 0f, 1f);
    }

    [Fact]
    public void Like_Factories_TakeShapeAndTypeFromTheTensor()
    {
        var source = ones(2, dtype: float64);

        zeros_like(source).dtype.ShouldBe(float64);
        ones_like(source, dtype: int32).ShouldHold(1L, 1L);
        full_like(source, 7).ShouldHold(7f, 7f);
        empty_like(source).shape.ShouldBe([2L]);
        source.new_zeros(3).dtype.ShouldBe(float64);
    }

    [Fact]
    public void Ranges_CoverTheirEnds()
    {
        arange(3).ShouldHold(0L, 1L, 2L);
        arange(3).dtype.ShouldBe(int64);
        arange(1L, 7L, 2L).ShouldHold(1L, 3L, 5L);
        arange(0, 1, 0.5).ShouldHold(0f, 0.5f);
        arange(2, dtype: float32).dtype.ShouldBe(float32);
        linspace(0, 1, 3).ShouldHold(0f, 0.5f, 1f);
        tril_indices(2, 2).ShouldHold(0L, 1L, 1L, 0L, 0L, 1L);
    }

    [Fact]
    public void FromBuffer_SharesTheMemoryOfTheArray()
    {
        float[] values = [1, 2, 3, 4];

        var view = frombuffer(values, float32, count: 2, offset: 1);
        values[1] = 20;

        view.ShouldHold(20f, 3f);
        view.mul_(2);
        values.ShouldBe([1f, 40f, 6f, 4f]);
    }

    [Fact]
    public void SetDefaultType_ChangesNewTensors()
    {
        set_default_dtype(float64);
        try
        {
            zeros(1).dtype.ShouldBe(float64);
        }
        finally
        {
            set_default_dtype(float32);
        }
    }
}
