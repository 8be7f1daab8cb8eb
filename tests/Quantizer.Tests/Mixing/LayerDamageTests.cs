using Espalier.Modeling;
using Espalier.Quantizer.Mixing;
using Espalier.Quantizer.Tests.Folding;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Mixing;

public sealed class LayerDamageTests : IDisposable
{
    private static readonly ModelConfig Config = ModelConfig.Tiny() with { Layers = 1 };
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Add_OtherWeights_IsTheRelativeChangeOfTheStreamAndLeavesTheLayerAsItWas()
    {
        using var untracked = no_grad();
        using var decoder = MoeDecoder.Create(Config, 1);
        string[] changed = [TensorNames.Expert(0, 0, "down"), TensorNames.Expert(0, 2, "up"), TensorNames.Attention(0, "v_proj.weight")];
        using var other = MoeDecoder.Load(Config, new OverlayWeights(decoder, (name, value) => changed.Contains(name) ? value * 1.5f + 0.01f : value));
        using var others = new ReplacedWeights(decoder);
        foreach (var (name, value) in other.ExportWeights().Where(weight => changed.Contains(weight.Name)))
            others.Add(name, value);
        var before = decoder.ExportWeights().Select(weight => weight.Value.bytes.ToArray()).ToList();
        var damage = new LayerDamage(decoder, others);

        var (change, size) = (0.0, 0.0);
        for (var i = 0; i < 3; i++)
        {
            var batch = randn(2, 8, Config.HiddenSize, generator: new Generator((ulong)i + 1));
            damage.Add(batch);
            var (own, with) = (Values(decoder.RunLayer(0, batch)), Values(other.RunLayer(0, batch)));
            change += own.Zip(with, (a, b) => Math.Pow(a - b, 2)).Sum();
            size += own.Sum(a => a * a);
        }

        damage.Value.ShouldBe(change / size, 1e-6 * change / size);
        damage.Value.ShouldBeGreaterThan(0);
        decoder.ExportWeights().Select(weight => weight.Value.bytes.ToArray()).ShouldBe(before);

        static double[] Values(Tensor stream) => stream.to(float64).contiguous().data<double>().ToArray();
    }
}
