using Espalier.Modeling.Generation;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Generation;

/// <summary>A cache gives what a pass over the whole text gives, whatever attention the model has.</summary>
public sealed class KeyValueCacheTests
{
    public static TheoryData<string> Kinds { get; } = ["plain", "grouped", "window", "latent", "yarn", "per-head"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Continue_TokenByToken_GivesTheLogitsOfTheWhole(string kind)
    {
        using var scope = NewDisposeScope();
        using var decoder = Create(kind);
        var tokens = Models.Tokens(12, seed: 5);
        using var cache = new KeyValueCache(decoder.Config, [0], 12, CPU);

        decoder.Continue(tensor(tokens[..5]).unsqueeze(0), cache);
        for (var i = 5; i < 12; i++)
        {
            var found = decoder.Continue(tensor(tokens[i..(i + 1)]).unsqueeze(0), cache);

            var expected = decoder.Forward(tensor(tokens[..(i + 1)]).unsqueeze(0)).Logits[0, -1];
            ((double)(found[0] - expected).abs().max().item<float>()).ShouldBeLessThan(2e-5 * (double)expected.abs().max().item<float>() + 1e-6);
        }
        cache.Length.ShouldBe(12);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Continue_SequencesOfUnequalLength_AreAsIfAlone(string kind)
    {
        using var scope = NewDisposeScope();
        using var decoder = Create(kind);
        var (longer, shorter) = (Models.Tokens(9, seed: 1), Models.Tokens(4, seed: 2));
        using var cache = new KeyValueCache(decoder.Config, [0, 5], 10, CPU);
        var filled = new long[5].Concat(shorter).ToArray();

        var first = decoder.Continue(tensor([.. longer, .. filled], [2, 9]), cache);
        var second = decoder.Continue(tensor([7L, 8L], [2, 1]), cache);

        foreach (var (row, text, next) in new[] { (0, longer, 7L), (1, shorter, 8L) })
        {
            Near(first[row], decoder.Forward(tensor(text).unsqueeze(0)).Logits[0, -1]);
            Near(second[row], decoder.Forward(tensor([.. text, next]).unsqueeze(0)).Logits[0, -1]);
        }

        static void Near(Tensor found, Tensor expected) =>
            ((double)(found - expected).abs().max().item<float>()).ShouldBeLessThan(2e-5 * (double)expected.abs().max().item<float>() + 1e-6);
    }

    [Fact]
    public void Continue_ManyTokens_KeepsNoTensorsButTheCache()
    {
        using var decoder = Create("grouped");
        using var cache = new KeyValueCache(decoder.Config, [0], 40, CPU);
        Step();
        var before = LiveTensors.CountSettled();

        for (var i = 0; i < 10; i++)
            Step();

        LiveTensors.Count.ShouldBe(before);

        void Step()
        {
            using var token = tensor(new[] { 3L }, [1, 1]);
            decoder.Continue(token, cache).Dispose();
        }
    }

    private static MoeDecoder Create(string kind) => Models.Tiny(7, config => kind switch
    {
        "grouped" => config with { KeyValueHeads = 2 },
        "window" => config with { SlidingWindow = 3, WindowedLayers = [1] },
        "latent" => config with { Family = "deepseek_v2", QueryKeyNorm = QueryKeyNorm.None, HeadSize = 12, Latent = new LatentAttention(10, 8, 8, 4, 6, true) },
        "yarn" => config with { RopeScaling = new RopeScaling { Kind = RopeScalingKind.Yarn, Factor = 4, OriginalPositions = 32 } },
        "per-head" => config with { QueryKeyNorm = QueryKeyNorm.PerHead },
        _ => config,
    });
}
