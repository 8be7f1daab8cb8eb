using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class ShapeTests : TensorTest
{
    private readonly Tensor _cube = arange(24).view(2, 3, 4);

    [Fact]
    public void Reshaping_KeepsTheOrderOfElements()
    {
        _cube.reshape(4, -1).shape.ShouldBe([4L, 6L]);
        _cube.flatten().shape.ShouldBe([24L]);
        _cube.flatten(1).shape.ShouldBe([2L, 12L]);
        _cube.flatten(0, 1).unflatten(0, 2, 3).Equals(_cube).ShouldBeTrue();
        _cube.view(6, 4)[5, 3].item<long>().ShouldBe(23L);
    }

    [Fact]
    public void Reordering_MovesDimensions()
    {
        _cube.permute(2, 0, 1).shape.ShouldBe([4L, 2L, 3L]);
        _cube.transpose(0, 2).shape.ShouldBe([4L, 3L, 2L]);
        _cube.mT.shape.ShouldBe([2L, 4L, 3L]);
        Matrix(2, 1, 2, 3, 4).T.ShouldHold(1f, 3f, 2f, 4f);
        Matrix(2, 1, 2, 3, 4).t().ShouldHold(1f, 3f, 2f, 4f);
        _cube.movedim([0], [2]).shape.ShouldBe([3L, 4L, 2L]);
    }

    [Fact]
    public void Dimensions_OfSizeOne_ComeAndGo()
    {
        _cube.unsqueeze(0).shape.ShouldBe([1L, 2L, 3L, 4L]);
        zeros(1, 2, 1).squeeze().shape.ShouldBe([2L]);
        zeros(1, 2, 1).squeeze(0).shape.ShouldBe([2L, 1L]);
        zeros(2).unsqueeze_(-1).shape.ShouldBe([2L, 1L]);
    }

    [Fact]
    public void Repetition_WithAndWithoutCopy()
    {
        Floats(1, 2).unsqueeze(1).expand(-1, 2).ShouldHold(1f, 1f, 2f, 2f);
        Floats(1, 2).expand_as(zeros(2, 2)).ShouldHold(1f, 2f, 1f, 2f);
        Floats(1, 2).repeat(2).ShouldHold(1f, 2f, 1f, 2f);
        Floats(1, 2).repeat_interleave(2).ShouldHold(1f, 1f, 2f, 2f);
        Floats(1, 2).repeat_interleave(Longs(1, 2)).ShouldHold(1f, 2f, 2f);
    }

    [Fact]
    public void Parts_CoverTheTensor()
    {
        arange(5).chunk(2).Select(part => part.numel()).ShouldBe([3L, 2L]);
        arange(5).split(2).Select(part => part.numel()).ShouldBe([2L, 2L, 1L]);
        arange(5).split([1, 4]).Select(part => part.numel()).ShouldBe([1L, 4L]);
        arange(4).view(2, 2).unbind().Length.ShouldBe(2);
        arange(4).view(2, 2).unbind(1)[1].ShouldHold(1L, 3L);
    }

    [Fact]
    public void Joining_ReversesTakingApart()
    {
        cat(_cube.split(1)).Equals(_cube).ShouldBeTrue();
        stack(_cube.unbind(1), 1).Equals(_cube).ShouldBeTrue();
        cat([Floats(1), Floats(2, 3)]).ShouldHold(1f, 2f, 3f);
        vstack([Floats(1, 2), Floats(3, 4)]).shape.ShouldBe([2L, 2L]);
    }

    [Fact]
    public void Order_CanBeTurned()
    {
        Floats(1, 2, 3).flip(0).ShouldHold(3f, 2f, 1f);
        Floats(1, 2, 3).roll(1).ShouldHold(3f, 1f, 2f);
        Floats(1, 2, 3).roll(-1, 0).ShouldHold(2f, 3f, 1f);
    }

    [Fact]
    public void Triangles_ZeroTheRest()
    {
        var matrix = Matrix(2, 1, 2, 3, 4);

        matrix.tril().ShouldHold(1f, 0f, 3f, 4f);
        matrix.triu(1).ShouldHold(0f, 2f, 0f, 0f);
        matrix.diag().ShouldHold(1f, 4f);
        matrix.diagonal(1).ShouldHold(2f);
        Floats(1, 2).diag().ShouldHold(1f, 0f, 0f, 2f);
        matrix.trace().ShouldHold(5f);
    }
}
