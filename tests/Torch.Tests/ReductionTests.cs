using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class ReductionTests : TensorTest
{
    private readonly Tensor _matrix = Matrix(3, 1, 2, 3, 4, 5, 6);

    [Fact]
    public void Sums_OverAllAndOverDimensions()
    {
        _matrix.sum().ShouldHold(21f);
        _matrix.sum(dim: 0).ShouldHold(5f, 7f, 9f);
        _matrix.sum(-1, keepdim: true).shape.ShouldBe([2L, 1L]);
        _matrix.sum([0, 1], type: float64).dtype.ShouldBe(float64);
        ones(3, dtype: torch.@bool).sum().ShouldHold(3L);
        _matrix.mean().ShouldHold(3.5f);
        _matrix.mean([1]).ShouldHold(2f, 5f);
        _matrix.prod().ShouldHold(720f);
        _matrix.cumsum(1).ShouldHold(1f, 3f, 6f, 4f, 9f, 15f);
    }

#if LIBTORCH_BINDING
    [Fact]
    public void Sum_OfALiteralZero_IsRefused()
    {
        Should.Throw<ArgumentException>(() => _matrix.sum(0)).Message.ShouldContain("dim: 0");
        Should.Throw<ArgumentException>(() => _matrix.prod(0));
    }
#endif

    [Fact]
    public void Spread_WithAndWithoutCorrection()
    {
        _matrix.var(1).ShouldHold(1f, 1f);
        _matrix.var(1, unbiased: false).ShouldHold(2f / 3, 2f / 3);
        _matrix.std(1, keepdim: true).shape.ShouldBe([2L, 1L]);
        Floats(1, 3).std().ShouldHold(MathF.Sqrt(2));
        var (deviation, mean) = _matrix.std_mean(1);
        deviation.ShouldHold(1f, 1f);
        mean.ShouldHold(2f, 5f);
    }

    [Fact]
    public void Extremes_AndWhereTheyAre()
    {
        _matrix.max().ShouldHold(6f);
        var (values, indexes) = _matrix.max(0);
        values.ShouldHold(4f, 5f, 6f);
        indexes.ShouldHold(1L, 1L, 1L);
        _matrix.min(1).values.ShouldHold(1f, 4f);
        _matrix.argmax().ShouldHold(5L);
        _matrix.argmin(1).ShouldHold(0L, 0L);
        _matrix.amax([1], keepdim: true).shape.ShouldBe([2L, 1L]);
        _matrix.amin(0).ShouldHold(1f, 2f, 3f);
        _matrix.median().ShouldHold(3f);
        _matrix.aminmax().max.ShouldHold(6f);
    }

    [Fact]
    public void Norms_AndLogSumExp()
    {
        Floats(3, 4).norm().ShouldHold(5f);
        Matrix(2, 3, 4, 6, 8).norm(1).ShouldHold(5f, 10f);
        Floats(3, -4).norm(1f).ShouldHold(7f);
        Floats(1000, 1000).logsumexp(0).ShouldHold(1000f + MathF.Log(2));
    }

    [Fact]
    public void Truth_AndCounting()
    {
        (_matrix > 3).any(1).ShouldHold(false, true);
        (_matrix > 3).all(1).ShouldHold(false, true);
        (_matrix > 3).count_nonzero().ShouldHold(3L);
        (_matrix > 3).count_nonzero([1]).ShouldHold(0L, 3L);
        Longs(1, 1, 3).bincount(null).ShouldHold(0L, 2L, 0L, 1L);
        torch.bincount(Longs(0, 1), minlength: 4).ShouldHold(1L, 1L, 0L, 0L);
        torch.bincount(Longs(0, 1, 1), Floats(1, 2, 3)).ShouldHold(1f, 5f);
        Floats(0, 1, 2, 3).histc(2, 0, 4).ShouldHold(2f, 2f);
    }

    [Fact]
    public void TopK_OrdersAndPoints()
    {
        var (values, indexes) = Floats(3, 9, 1, 7).topk(2);

        values.ShouldHold(9f, 7f);
        indexes.ShouldHold(1L, 3L);
        torch.topk(Floats(3, 9, 1), 1, largest: false).indices.ShouldHold(2L);
        torch.kthvalue(Floats(3, 9, 1), 2, 0).values.ShouldHold(3f);
    }

    [Fact]
    public void Sort_Stable_KeepsTheOrderOfTies()
    {
        var keys = tensor(Enumerable.Range(0, 5000).Select(i => (float)(i % 3)).ToArray());

        long[] ascending = keys.sort(stable: true).Indices.data<long>().ToArray();
        long[] descending = keys.sort(descending: true, stable: true).Indices.data<long>().ToArray();

        ascending.ShouldBe(Enumerable.Range(0, 5000).OrderBy(i => i % 3).Select(i => (long)i));
        descending.ShouldBe(Enumerable.Range(0, 5000).OrderByDescending(i => i % 3).Select(i => (long)i));
    }

    [Fact]
    public void Sorting_AndSearching()
    {
        Floats(3, 1, 2).argsort().ShouldHold(1L, 2L, 0L);
        Floats(3, 1, 2).sort(descending: true).Values.ShouldHold(3f, 2f, 1f);
        searchsorted(Floats(1, 3, 5), Floats(3)).ShouldHold(1L);
        searchsorted(Floats(1, 3, 5), Floats(3), right: true).ShouldHold(2L);
        var (output, inverse, counts) = Longs(5, 3, 5).unique(return_inverse: true, return_counts: true);
        output.ShouldHold(3L, 5L);
        inverse!.ShouldHold(1L, 0L, 1L);
        counts!.ShouldHold(1L, 2L);
        Longs(1, 1, 2).unique().inverse_indices.ShouldBeNull();
        Longs(1, 1, 2, 1).unique_consecutive().output.ShouldHold(1L, 2L, 1L);
        Floats(0, 1, 2, 3).quantile(tensor(0.5f)).ShouldHold(1.5f);
    }
}
