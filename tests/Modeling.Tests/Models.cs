using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

/// <summary>Tiny models and inputs with routing that is far from ties.</summary>
internal static class Models
{
    /// <summary>A tiny model whose weights are large enough that experts, heads and routers all matter.</summary>
    public static MoeDecoder Tiny(long seed, Func<ModelConfig, ModelConfig>? change = null)
    {
        var config = ModelConfig.Tiny(vocabulary: 40) with { InitializerRange = 0.3 };
        var decoder = MoeDecoder.Create(change?.Invoke(config) ?? config, seed);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            if (name.EndsWith("norm.weight", StringComparison.Ordinal))
                value.add_(randn(value.shape, generator: RandomStream.For(seed, "shift " + name)) * 0.2);
        }
        return decoder;
    }

    public static long[] Tokens(int count, int seed) =>
        [.. Enumerable.Range(0, count).Select(i => RandomStream.SeedOf(seed, $"token {i}") % 40)];

    public static float[] Logits(MoeDecoder decoder, long[] tokens)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        return decoder.Forward(tensor(tokens).unsqueeze(0)).Logits.to(float32).contiguous().data<float>().ToArray();
    }

    public static double Distance(IEnumerable<float> a, IEnumerable<float> b) => a.Zip(b, (x, y) => Math.Abs(x - (double)y)).Max();
}
