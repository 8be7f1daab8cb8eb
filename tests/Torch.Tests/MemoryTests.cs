using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class MemoryTests : TensorTest
{
    [Fact]
    public void Bytes_OfBFloat16_RoundTrip()
    {
        var source = tensor(new[] { 1f, -2.5f, 3.140625f }).to(bfloat16);
        byte[] raw = source.bytes.ToArray();

        var copy = empty(3, dtype: bfloat16);
        copy.bytes = raw;

        raw.ShouldBe([0x80, 0x3F, 0x20, 0xC0, 0x49, 0x40]);
        copy.ShouldHold(1f, -2.5f, 3.140625f);
    }

    [Fact]
    public void Bytes_OfStridedTensor_IsRefused() =>
        Should.Throw<Exception>(() => zeros(2, 3).t().bytes.Length);

    [Fact]
    public void BFloat16_Conversion_RoundsTiesToEven()
    {
        float halfway = 1f + 1f / 256, above = 1f + 3f / 256;

        new BFloat16(halfway).ToSingle().ShouldBe(1f);
        new BFloat16(above).ToSingle().ShouldBe(1f + 4f / 256);
        tensor(new[] { halfway, above }).to(bfloat16).ShouldHold(1f, 1f + 4f / 256);
        BFloat16.IsNaN(new BFloat16(float.NaN)).ShouldBeTrue();
    }

    [Fact]
    public void Accessor_OfTransposedTensor_FollowsItsOrder()
    {
        var accessor = Matrix(3, 1, 2, 3, 4, 5, 6).t().data<float>();

        accessor.ToArray().ShouldBe([1f, 4f, 2f, 5f, 3f, 6f]);
        accessor[2, 1].ShouldBe(6f);
        accessor.Count.ShouldBe(6);
    }

    [Fact]
    public void Accessor_Write_ChangesTheTensor()
    {
        var target = zeros(3);

        target.data<float>()[1] = 5;
        target.data<float>().CopyFrom([7f], tensorIndex: 2);

        target.ShouldHold(0f, 5f, 7f);
    }

    [Fact]
    public void Stream_WriteThenRead_GivesTheSameElements()
    {
        var source = arange(1000, dtype: float32);
        using var stream = new MemoryStream();

        source.WriteBytesToStream(stream);
        stream.Position = 0;
        var copy = empty(1000);
        copy.ReadBytesFromStream(stream);

        copy.Equals(source).ShouldBeTrue();
    }

    [Fact]
    public void Item_ReadsTheOnlyElement()
    {
        tensor(3).item<int>().ShouldBe(3);
        tensor(new[] { 2.5 }).ToDouble().ShouldBe(2.5);
        tensor(true).ToBoolean().ShouldBeTrue();
        tensor(2.5f).to(bfloat16).ToSingle().ShouldBe(2.5f);
        ((long)tensor(7)).ShouldBe(7L);
    }

    [Fact]
    public void Conversions_KeepValues()
    {
        Floats(1.9f, -1.9f).to(int64).ShouldHold(1L, -1L);
        Floats(0, 2).to(torch.@bool).ShouldHold(false, true);
        Longs(300).to(uint8).ShouldHold(44L);
        var same = Floats(1);
        same.to(float32).fill_(2);
        same.ShouldHold(2f);
        same.to(float32, copy: true).fill_(3);
        same.ShouldHold(2f);
    }

    [Fact]
    public void Facts_DescribeTheTensor()
    {
        var matrix = zeros(2, 3);

        matrix.dim().ShouldBe(2);
        matrix.numel().ShouldBe(6);
        matrix.size(-1).ShouldBe(3);
        matrix.stride().ShouldBe([3L, 1L]);
        matrix.element_size().ShouldBe(4);
        matrix.device.type.ShouldBe(DeviceType.CPU);
        matrix.is_contiguous().ShouldBeTrue();
        matrix.t().is_contiguous().ShouldBeFalse();
        matrix.t().contiguous().is_contiguous().ShouldBeTrue();
    }
}
