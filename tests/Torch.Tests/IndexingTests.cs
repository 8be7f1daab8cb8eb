using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class IndexingTests : TensorTest
{
    private readonly Tensor _matrix = arange(12, dtype: float32).view(3, 4);

    [Fact]
    public void Brackets_WithNumbers_SelectElementsAndRows()
    {
        _matrix[1, 2].item<float>().ShouldBe(6f);
        _matrix[-1].ShouldHold(8f, 9f, 10f, 11f);
        _matrix[0, -1].ShouldHold(3f);
    }

    [Fact]
    public void Brackets_WithRanges_SelectParts()
    {
        _matrix[1..3, 0..2].ShouldHold(4f, 5f, 8f, 9f);
        _matrix[TensorIndex.Ellipsis, ^1].ShouldHold(3f, 7f, 11f);
        _matrix[TensorIndex.Colon, TensorIndex.Slice(0, null, 2)].shape.ShouldBe([3L, 2L]);
        _matrix[TensorIndex.None, 0].shape.ShouldBe([1L, 4L]);
    }

    [Fact]
    public void Brackets_WithTensors_SelectPositionsAndMasks()
    {
        _matrix[Longs(2, 0)].ShouldHold(8f, 9f, 10f, 11f, 0f, 1f, 2f, 3f);
        _matrix[_matrix > 9].ShouldHold(10f, 11f);
        _matrix[TensorIndex.Tensor(Longs(0, 1)), TensorIndex.Tensor(Longs(1, 2))].ShouldHold(1f, 6f);
    }

    [Fact]
    public void Brackets_Assigned_WriteIntoTheTensor()
    {
        var target = zeros(2, 3);

        target[0, 1] = tensor(5f);
        target[1] = tensor(2f);
        target[TensorIndex.Colon, TensorIndex.Single(2)] = Floats(8, 9);

        target.ShouldHold(0f, 5f, 8f, 2f, 2f, 9f);
    }

    [Fact]
    public void IndexPut_Accumulating_AddsRepeatedPositions()
    {
        var counts = zeros(3);

        counts.index_put_(ones(4), [Longs(0, 2, 2, 2)], accumulate: true);

        counts.ShouldHold(1f, 0f, 3f);
    }

    [Fact]
    public void IndexPut_WithNumber_SetsTheSelection()
    {
        var target = zeros(3);

        target.index_put_(4, TensorIndex.Slice(1));

        target.ShouldHold(0f, 4f, 4f);
    }

    [Fact]
    public void IndexFamily_WorksOnSlices()
    {
        _matrix.index_select(0, Longs(1)).ShouldHold(4f, 5f, 6f, 7f);
        zeros(3).index_add(0, Longs(0, 0, 2), Floats(1, 2, 3), 2).ShouldHold(6f, 0f, 6f);
        zeros(3).index_add_(0, Longs(1), Floats(1), 1).ShouldHold(0f, 1f, 0f);
        zeros(3).index_copy_(0, Longs(2), Floats(7)).ShouldHold(0f, 0f, 7f);
        zeros(3).index_fill_(0, Longs(0), 4).ShouldHold(4f, 0f, 0f);
        _matrix.select(1, 0).ShouldHold(0f, 4f, 8f);
        _matrix.narrow(1, 1, 2).shape.ShouldBe([3L, 2L]);
        _matrix.slice(0, 0, 3, 2).shape.ShouldBe([2L, 4L]);
    }

    [Fact]
    public void GatherAndScatter_FollowTheIndex()
    {
        var source = Matrix(2, 1, 2, 3, 4);
        var index = Longs(1, 0, 0, 1).view(2, 2);

        source.gather(1, index).ShouldHold(2f, 1f, 3f, 4f);
        zeros(2, 2).scatter_(1, index, source).ShouldHold(2f, 1f, 3f, 4f);
        zeros(2).scatter_add_(0, Longs(0, 0, 1), Floats(1, 2, 3)).ShouldHold(3f, 3f);
        source.take_along_dim(source.argsort(1, descending: true), 1).ShouldHold(2f, 1f, 4f, 3f);
    }

    [Fact]
    public void Masks_SelectAndFill()
    {
        var values = Floats(1, -2, 3);

        values.masked_fill(values < 0, 0).ShouldHold(1f, 0f, 3f);
        values.masked_select(values > 0).ShouldHold(1f, 3f);
        values.clone().masked_fill_(values > 0, 9).ShouldHold(9f, -2f, 9f);
        where(values > 0, values, zeros_like(values)).ShouldHold(1f, 0f, 3f);
        values.nonzero().ShouldHold(0L, 1L, 2L);
        where(values > 0)[0].ShouldHold(0L, 2L);
    }

    [Fact]
    public void Position_OutOfRange_SaysSo() =>
        Should.Throw<Exception>(() => _matrix[7]).Message.ShouldContain("index 7 is out of bounds");
}
