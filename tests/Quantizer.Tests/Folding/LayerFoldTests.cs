using Espalier.Modeling;
using Espalier.Quantizer.Folding;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Folding;

public sealed class LayerFoldTests : IDisposable
{
    private static readonly ModelConfig Tiny = ModelConfig.Tiny();
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string, ModelConfig, QuantizationTargets, int> Models => new()
    {
        { "every group: q k v, o, experts' gate and up, each down", Tiny, QuantizationTargets.Linear, 2 * (3 + 4) },
        { "grouped heads", Tiny with { KeyValueHeads = 2, QueryKeyValueBias = true }, QuantizationTargets.Linear, 2 * (3 + 4) },
        { "clamped values", Tiny with { ClipQkv = 0.05 }, QuantizationTargets.Linear, 2 * (2 + 4) },
        { "latent attention", Tiny with { Latent = new LatentAttention(null, 12, 8, 4, 8, Interleaved: true), HeadSize = 12, QueryKeyNorm = QueryKeyNorm.None },
            QuantizationTargets.Linear, 2 * (2 + 4) },
        { "a shared expert", Tiny with { SharedSize = 16, SharedGate = true }, QuantizationTargets.Linear, 2 * (3 + 4 + 1) },
        { "a plain shared expert", Tiny with { SharedSize = 16, SharedGate = true }, QuantizationTargets.Experts, 2 * (1 + 4) },
        { "a dense layer", Tiny with { DenseLayers = [0], DenseSize = 40 }, QuantizationTargets.Linear, 3 + 1 + 3 + 4 },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Models))]
    public void Apply_AnyScalesInEveryGroup_LeavesLogitsAndRoutingAsTheyWere(string what, ModelConfig config, QuantizationTargets targets, int groups)
    {
        using var untracked = no_grad();
        using var decoder = MoeDecoder.Create(config, 1);
        Roughen(decoder);
        using var fold = new LayerFold();
        var found = Groups(decoder, config, targets);
        found.Count.ShouldBe(groups, what);
        foreach (var (group, i) in found.Select((group, i) => (group, i)))
            fold.Add(group, RandomScales(group, Find(decoder, group.Coded[0]).shape[1], i), Find(decoder, group.Maker));

        using var folded = MoeDecoder.Load(config, new OverlayWeights(decoder, fold.Apply));

        var tokens = randint(0, 258, [2, 16], dtype: int64, generator: new Generator(1));
        var (before, after) = (decoder.Forward(tokens), folded.Forward(tokens));
        (after.Logits - before.Logits).abs().max().item<float>().ShouldBeLessThan(1e-5f * (1 + before.Logits.abs().max().item<float>()), what);
        after.Routing.Select(r => r.Selected.bytes.ToArray()).ShouldBe(before.Routing.Select(r => r.Selected.bytes.ToArray()), what);
        foreach (var group in found) // nothing would be tested if the weights were the same
            (Find(folded, group.Coded[0]) - Find(decoder, group.Coded[0])).abs().max().item<float>().ShouldBeGreaterThan(0.001f, group.Coded[0]);
    }

    [Fact]
    public void Add_NormInBfloat16_GivesReadersExactlyWhatTheRoundedNormLost()
    {
        var norm = tensor(new float[] { 1, 0.75f, 0, -1.5f }).to(bfloat16);
        var group = new FoldGroup { Coded = ["reader.weight"], Maker = "norm.weight", MakerIsNorm = true };
        using var fold = new LayerFold();

        fold.Add(group, tensor(new float[] { 1.1f, 0.7f, 3, 2.9f }), norm);

        var rounded = fold.Apply("norm.weight", norm.to(float32)).to(bfloat16).to(float32);
        var column = fold.Apply("reader.weight", ones(1, 4)).squeeze(0);
        // 1 / 1.1 = 0.90909 lies between the multiples of 2^-8 around it, 232 and 233; 232.7 rounds to 233
        rounded[0].item<float>().ShouldBe(233f / 256);
        (rounded * column - norm.to(float32)).abs().max().item<float>().ShouldBeLessThan(1e-7f * 2);
        column[2].item<float>().ShouldBe(1);
    }

    [Fact]
    public void Of_RoutersAndGates_AreReadersThatKeepTheirWeights()
    {
        using var decoder = MoeDecoder.Create(Tiny with { SharedSize = 16, SharedGate = true }, 1);

        var group = Groups(decoder, decoder.Config, QuantizationTargets.Linear).First(g => g.Maker == TensorNames.Layer(1) + "post_attention_layernorm.weight");

        group.Plain.ShouldBe([TensorNames.Router(1), TensorNames.SharedExpertGate(1)]);
        group.Coded.Count.ShouldBe(2 * (4 + 1));
    }

    private static List<FoldGroup> Groups(MoeDecoder decoder, ModelConfig config, QuantizationTargets targets)
    {
        var names = decoder.ExportWeights().Select(weight => weight.Name).ToList();
        return [.. Enumerable.Range(0, config.Layers)
            .SelectMany(layer => FoldGroups.Of(config, layer, new TargetMatrices(config, targets).OfLayer(layer), names))];
    }

    private static Tensor Find(MoeDecoder decoder, string name) => decoder.ExportWeights().First(weight => weight.Name == name).Value;

    // Powers of e between 1/3 and 3, the same for channels that one row makes.
    private static Tensor RandomScales(FoldGroup group, long channels, int seed)
    {
        var rows = (rand(channels / group.Repeats, generator: new Generator((ulong)seed + 1)) * 2.2f - 1.1f).exp();
        return group.Repeats == 1 ? rows : rows.view(-1, 1, group.HeadSize).expand(-1, group.Repeats, -1).reshape(channels);
    }

    // Norms and biases that are not 1 and 0, and weights large enough that logits depend on all of them.
    private static void Roughen(MoeDecoder decoder)
    {
        var seed = 100UL;
        foreach (var (name, value) in decoder.ExportWeights())
        {
            if (value.dim() == 1)
                value.add_(randn(value.shape, generator: new Generator(seed++)) * 0.2f);
            else
                value.mul_(5);
        }
    }
}
