using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Fused;

/// <summary>Models that reach every branch of the kernels: odd sizes, remainders, several blocks of depth and of queries.</summary>
internal static class FusedModels
{
    public static MoeDecoder Create(string variant) => variant switch
    {
        "biased" => WithBiases([0, 1, 2, 0, 1, 2], exclusive: false),
        "siblings" => WithBiases([0, 1, 2, 0, 1, 2], exclusive: true),
        "uneven-siblings" => WithBiases([0, 1, 2, 0, 0, 1], exclusive: true),
        _ => Models.Tiny(1, config => variant switch
        {
            "normalized" => config with { NormalizeTopK = true },
            "sigmoid" => config with { ScoreFunction = ScoreFunction.Sigmoid, NormalizeTopK = true },
            "tied" => config with { TieEmbeddings = true },
            "grouped-query" => config with { KeyValueHeads = 2 },
            "head-norm" => config with { QueryKeyNorm = QueryKeyNorm.PerHead, KeyValueHeads = 2, HeadSize = 12 },
            "no-norm" => config with { QueryKeyNorm = QueryKeyNorm.None, KeyValueHeads = 2, NormalizeTopK = true },
            "shared" => config with
            {
                Family = "qwen2_moe", QueryKeyNorm = QueryKeyNorm.None, QueryKeyValueBias = true, SharedSize = 37, SharedGate = true, NormalizeTopK = false,
            },
            "dense-first" => config with
            {
                Family = "deepseek", QueryKeyNorm = QueryKeyNorm.None, DenseLayers = [0], DenseSize = 41, SharedSize = 2 * config.ExpertSize,
            },
            "scaled" => config with { RoutedScale = 2.5, NormalizeTopK = true },
            "scaled-sigmoid" => config with { RoutedScale = 2.5, ScoreFunction = ScoreFunction.Sigmoid, NormalizeTopK = false },
            "dense" => config with
            {
                Family = "qwen2", QueryKeyNorm = QueryKeyNorm.None, QueryKeyValueBias = true, KeyValueHeads = 2,
                Experts = 0, ExpertsPerToken = 0, ExpertSize = 0, DenseSize = 53,
            },
            "wide-heads" => config with { HeadSize = 12, RopeTheta = 500 },
            "all-experts" => config with { ExpertsPerToken = 4 },
            "deep-products" => config with { HiddenSize = 276, HeadSize = 70, ExpertSize = 150, InitializerRange = 0.05 },
            "long" => config with { MaxPositions = 512 },
            _ => config,
        }),
    };

    public static int Length(string variant) => variant == "long" ? 301 : 21;

    /// <summary>Two sequences with one more token than their length: (2, S + 1).</summary>
    public static Tensor Batch(string variant) => tensor(Models.Tokens(2 * (Length(variant) + 1), seed: 3), [2, Length(variant) + 1]);

    private static MoeDecoder WithBiases(IReadOnlyList<int> groups, bool exclusive)
    {
        using var source = Models.Tiny(2, config => config with { Experts = 6, SiblingGroups = [groups, groups], SiblingExclusive = exclusive });
        using var weights = MemoryWeights.Of(source);
        for (var layer = 0; layer < 2; layer++)
        {
            weights.Replace(TensorNames.RouterBias(layer), randn(6, generator: RandomStream.For(2, $"b{layer}")));
            weights.Replace(TensorNames.SelectionBias(layer), randn(6, generator: RandomStream.For(2, $"beta{layer}")) * 0.1);
        }
        return MoeDecoder.Load(source.Config, weights);
    }
}
