using System.Globalization;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.RealSize;

/// <summary>A checkpoint of the shape of OLMoE-1B-7B-0924 with random weights in bfloat16: 6.9 billion of them, 13.8 GB.</summary>
public static class RealSizeModel
{
    private const long Seed = 1;

    /// <summary>The shape.</summary>
    /// <param name="scale">Divides widths, layers, experts and vocabulary; 1 is the published shape.</param>
    /// <param name="layers">Layers in place of those that the scale gives.</param>
    public static ModelConfig Config(int scale, int? layers = null)
    {
        var bytes = ByteLevelBpe.OfBytes();
        var width = Math.Max(64, 2048 / scale);
        var heads = Math.Max(2, width / 128);
        return ModelConfig.Tiny(Math.Max(bytes.VocabularySize, 50_304 / scale)) with
        {
            HiddenSize = width,
            Layers = layers ?? Math.Max(2, 16 / scale),
            Heads = heads,
            KeyValueHeads = heads,
            HeadSize = width / heads,
            Experts = Math.Max(8, 64 / scale),
            ExpertsPerToken = Math.Max(2, 8 / scale),
            ExpertSize = Math.Max(64, 1024 / scale),
            MaxPositions = 4096,
            WeightType = "bfloat16",
            EosTokenId = bytes.EndTokenId,
        };
    }

    /// <summary>
    /// Writes the checkpoint tensor by tensor, with bytes as its tokens: matrices normal with the configuration's standard deviation, norms 1.
    /// Each tensor has its own random stream.
    /// </summary>
    public static async Task<ManifestRef> WriteAsync(ArtifactStore store, ModelConfig config, Action<string> say, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store);
        await writer.AddFileAsync("config.json", config.ToJson(), cancellationToken).ConfigureAwait(false);
        foreach (var (path, bytes) in ByteLevelBpe.OfBytes().Files)
            await writer.AddFileAsync(path, bytes, cancellationToken).ConfigureAwait(false);
        var (layer, written) = ("", 0L);
        foreach (var (name, shape) in DecoderLayout.Stored(config, routerBias: false))
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var value = Make(name, shape, config.InitializerRange);
            await CheckpointSaver.AddTensorAsync(writer, name, value, ScalarType.BFloat16, cancellationToken).ConfigureAwait(false);
            written += 2 * value.numel();
            if (LayerOf(name) is var next && next != layer)
                say(string.Create(CultureInfo.InvariantCulture, $"{next}, {written / 1e9:0.0} GB so far"));
            layer = next;
        }
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static Tensor Make(string name, long[] shape, double deviation)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var value = name.EndsWith("norm.weight", StringComparison.Ordinal)
            ? ones(shape, dtype: bfloat16)
            : randn(shape, dtype: float32, generator: RandomStream.For(Seed, name)).mul_(deviation).to(bfloat16);
        return value.DetachFromDisposeScope();
    }

    private static string LayerOf(string name) => string.Join('.', name.Split('.').Take(3));
}
