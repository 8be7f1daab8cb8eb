using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>
/// A model whose weights stay where they are stored, in their stored type: a layer, or the head, is widened for as long as it is used. Every
/// result has the bits that the whole model in memory gives.
/// </summary>
/// <param name="config">Its configuration.</param>
/// <param name="weights">Its weights, packed or plain.</param>
/// <param name="device">Where it runs.</param>
/// <param name="dtype">Type of weights and activations while they are used; float32 when null.</param>
public sealed class LayeredModel(ModelConfig config, IWeightSource weights, Device device, ScalarType? dtype = null)
{
    // What a whole model with such layers runs plain, its other layers do too.
    private readonly bool _usesKernels = config.WindowedLayers.Count == 0;

    /// <summary>Its configuration.</summary>
    public ModelConfig Config => config;

    /// <summary>Where it runs.</summary>
    public Device Device => device;

    /// <summary>
    /// Embeds batches of tokens (B, S), int64, each as it is asked for: (B, S, H), on the CPU, in no dispose scope. The embedding is read once.
    /// </summary>
    /// <exception cref="InvalidModelException">The embedding holds NaN or infinity.</exception>
    public IReadOnlyList<Tensor> Embed(IEnumerable<Func<Tensor>> batches)
    {
        using var embedding = LayerDecoder.ReadEmbedding(config, weights);
        var streams = new List<Tensor>();
        foreach (var batch in batches)
        {
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            streams.Add(LayerDecoder.Embed(embedding, batch(), CPU, dtype).DetachFromDisposeScope());
        }
        return streams;
    }

    /// <summary>Loads one layer; run it with <c>RunLayer(0, ...)</c>, dispose it, then call <see cref="Release"/>.</summary>
    /// <exception cref="InvalidModelException">Tensors of the layer that are missing, unknown, misshapen or not finite.</exception>
    public MoeDecoder LoadLayer(int layer)
    {
        var decoder = LayerDecoder.LoadLayer(config, weights, layer, device, dtype);
        decoder.UsesKernels = _usesKernels;
        return decoder;
    }

    /// <summary>Loads the last norm and the head.</summary>
    /// <exception cref="InvalidModelException">One of them is missing, misshapen or not finite.</exception>
    public MoeDecoder LoadHead() => LayerDecoder.LoadHead(config, weights, device, dtype);

    /// <summary>Gives the memory of a layer that was disposed back to the system.</summary>
    public static void Release() => TorchRuntime.ReleaseFreeMemory();

    /// <summary>
    /// The stream (B, S, H) behind the last layer for <paramref name="tokens"/> (B, S), int64, on the CPU, in no dispose scope; without gradients.
    /// Each layer is loaded once.
    /// </summary>
    /// <param name="tokens">Token ids.</param>
    /// <param name="see">Sees how each layer routed, in order; the tensors are the pass's own.</param>
    public Tensor Stream(Tensor tokens, Action<RoutingTrace>? see = null)
    {
        var hidden = Embed([() => tokens.alias()])[0];
        for (var layer = 0; layer < config.Layers; layer++)
        {
            using (var decoder = LoadLayer(layer))
            using (var before = hidden)
                hidden = RunLayer(decoder, layer, before, see);
            Release();
        }
        return hidden;
    }

    /// <summary>Runs a layer that was loaded on a stream (B, S, H), without gradients: what is behind it, on the CPU, in no dispose scope.</summary>
    /// <param name="decoder">From <see cref="LoadLayer"/>.</param>
    /// <param name="layer">Which layer it is.</param>
    /// <param name="stream">What is in front of it.</param>
    /// <param name="see">Sees how it routed.</param>
    public static Tensor RunLayer(MoeDecoder decoder, int layer, Tensor stream, Action<RoutingTrace>? see)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (next, trace) = decoder.RunLayerTraced(0, stream.to(decoder.Device));
        if (trace is not null)
            see?.Invoke(trace with { Layer = layer });
        return next.cpu().DetachFromDisposeScope();
    }
}
