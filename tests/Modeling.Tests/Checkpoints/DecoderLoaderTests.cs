using Espalier.Modeling.Checkpoints;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Checkpoints;

public sealed class DecoderLoaderTests
{
    private const string Down = "model.layers.1.mlp.experts.3.down_proj.weight";

    [Fact]
    public void Load_ExportedWeights_GivesTheSameModel()
    {
        using var source = Models.Tiny(1);
        using var weights = MemoryWeights.Of(source);

        using var loaded = MoeDecoder.Load(source.Config, weights);

        loaded.Buffer.Values.bytes.SequenceEqual(source.Buffer.Values.bytes).ShouldBeTrue();
    }

    [Fact]
    public void Load_MissingTensor_NamesIt() => Refused(weights => weights.Replace(Down, null), $"'{Down}' is missing");

    [Fact]
    public void Load_UnknownTensor_NamesIt() => Refused(weights => weights.Replace("model.extra", zeros(3)), "'model.extra'");

    [Fact]
    public void Load_WrongShape_SaysBoth() => Refused(weights => weights.Replace(Down, zeros(32, 23)), "[32, 23]", "[32, 24]");

    [Fact]
    public void Load_WrongType_NamesIt() => Refused(weights => weights.Replace(Down, zeros(32, 24, dtype: int32)), Down, "Int32");

    [Fact]
    public void Load_NotANumber_NamesTheTensor() => Refused(weights => weights.Tensors[Down][0, 0] = float.NaN, Down, "NaN");

    [Fact]
    public void Load_FailsHalfway_LeavesNoTensors()
    {
        using var source = Models.Tiny(1);
        using var weights = MemoryWeights.Of(source);
        weights.Tensors[Down][0, 0] = float.PositiveInfinity;
        var before = LiveTensors.CountSettled();

        Should.Throw<InvalidModelException>(() => MoeDecoder.Load(source.Config, weights));

        LiveTensors.Count.ShouldBe(before);
    }

    [Theory]
    [InlineData(4, 8)]
    [InlineData(8, 8)]
    [InlineData(4, -1)]
    public void Load_PackedWeights_EqualsTheDequantizedModel(int bits, int groupSize)
    {
        using var scope = NewDisposeScope();
        using var source = Models.Tiny(1);
        using var packed = MemoryWeights.Of(source);
        using var plain = MemoryWeights.Of(source);
        var quantization = new WeightQuantization(bits, groupSize, Symmetric: true);
        foreach (var name in source.ExportWeights().Select(w => w.Name).Where(n => n.EndsWith("_proj.weight", StringComparison.Ordinal)))
        {
            var (codes, scale) = Round(plain.Tensors[name], bits, groupSize);
            plain.Replace(name, PackedWeights.Dequantize(codes, scale, null, groupSize));
            packed.Replace(name + "_packed", PackedWeights.Pack(codes, bits));
            packed.Replace(name + "_scale", scale);
            packed.Replace(name + "_shape", tensor(packed.Tensors[name].shape));
            packed.Replace(name, null);
        }

        using var expected = MoeDecoder.Load(source.Config, plain);
        using var loaded = MoeDecoder.Load(source.Config with { Quantization = quantization }, packed);

        loaded.Buffer.Values.bytes.SequenceEqual(expected.Buffer.Values.bytes).ShouldBeTrue();
        loaded.Buffer.Values.bytes.SequenceEqual(source.Buffer.Values.bytes).ShouldBeFalse();
    }

    private static (Tensor Codes, Tensor Scale) Round(Tensor weight, int bits, int groupSize)
    {
        var size = groupSize < 0 ? weight.shape[1] : groupSize;
        var groups = weight.view(weight.shape[0], -1, size);
        var scale = groups.abs().amax([-1]) / ((1 << (bits - 1)) - 1);
        return ((groups / scale.unsqueeze(-1)).round().view(weight.shape).to(int8), scale);
    }

    private static void Refused(Action<MemoryWeights> damage, params string[] expected)
    {
        using var scope = NewDisposeScope();
        using var source = Models.Tiny(1);
        using var weights = MemoryWeights.Of(source);
        damage(weights);

        var message = Should.Throw<InvalidModelException>(() => MoeDecoder.Load(source.Config, weights)).Message;

        foreach (var part in expected)
            message.ShouldContain(part);
    }
}
