using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Routing;

/// <summary>Counts, layer by layer, which experts tokens are routed to, and how sure the router is.</summary>
internal sealed class RoutingCounter : IMoeObserver, IDisposable
{
    private readonly int _experts;
    private readonly SortedDictionary<int, LayerSums> _layers;
    private long _windowLength;

    public RoutingCounter(ModelConfig config, Device device)
    {
        _experts = config.Experts;
        _layers = new SortedDictionary<int, LayerSums>(config.SparseLayers.ToDictionary(layer => layer, _ => new LayerSums(
            zeros(config.Experts, config.Experts, dtype: float64, device: device).DetachFromDisposeScope(),
            zeros(3, dtype: float64, device: device).DetachFromDisposeScope())));
    }

    /// <summary>Tells how many tokens each window of the next batch has.</summary>
    public void StartBatch(int windowLength) => _windowLength = windowLength;

    /// <inheritdoc/>
    public void OnRouting(RoutingTrace trace)
    {
        using var scope = NewDisposeScope();
        var layer = _layers[trace.Layer];
        layer.Tokens += trace.Selected.shape[0];

        var chosen = zeros_like(trace.Scores).scatter_(1, trace.Selected, ones_like(trace.Gates, dtype: trace.Scores.dtype)); // (T, E) of 0 and 1
        layer.CoActivation.add_(chosen.transpose(0, 1).matmul(chosen).to(float64));                                          // (E, E)
        var perWindow = chosen.view(-1, _windowLength, _experts).sum(1).to(int64).cpu();                                     // (B, E)
        foreach (var row in perWindow.data<long>().ToArray().Chunk(_experts))
            layer.WindowLoads.Add(row);

        var shares = trace.Scores / trace.Scores.sum(-1, keepdim: true);                                                     // (T, E)
        var entropy = -(shares * shares.clamp(min: 1e-30).log()).sum(-1);                                                    // (T)
        var margin = _experts > 1 ? Margin(shares.topk(2, -1).values) : ones_like(entropy);                                  // (T)
        var z = trace.Logits.logsumexp(-1).square();                                                                         // (T)
        layer.Sums.add_(stack([entropy, margin, z]).to(float64).sum(1));
    }

    /// <summary>What was counted in each MoE layer, for windows in the order of the batches.</summary>
    public IReadOnlyList<LayerRouting> Collect()
    {
        using var scope = NewDisposeScope();
        return
        [
            .. _layers.Select(pair =>
            {
                var (index, layer) = pair;
                var sums = layer.Sums.cpu().data<double>().ToArray();
                return new LayerRouting(
                    index,
                    layer.WindowLoads,
                    [.. layer.CoActivation.cpu().data<double>().ToArray().Chunk(_experts)],
                    layer.Tokens,
                    sums[0] / layer.Tokens,
                    sums[1] / layer.Tokens,
                    sums[2] / layer.Tokens);
            }),
        ];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers.Values)
        {
            layer.CoActivation.Dispose();
            layer.Sums.Dispose();
        }
    }

    private static Tensor Margin(Tensor top) => top.select(-1, 0) - top.select(-1, 1);

    private sealed class LayerSums(Tensor coActivation, Tensor sums)
    {
        public Tensor CoActivation { get; } = coActivation; // (E, E)
        public Tensor Sums { get; } = sums;                 // (3): entropy, margin, z
        public List<long[]> WindowLoads { get; } = [];      // windows of (E)
        public long Tokens { get; set; }
    }
}

/// <summary>Counts of one layer.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="WindowLoads">For each window, tokens of each expert.</param>
/// <param name="CoActivation">(E, E) tokens that chose both; the diagonal is the load.</param>
/// <param name="Tokens">Tokens seen.</param>
/// <param name="TokenEntropy">Mean entropy of the router's distribution over a token's experts, nats.</param>
/// <param name="Margin">Mean difference of the two largest probabilities.</param>
/// <param name="ZLoss">Mean squared logsumexp of the logits.</param>
internal sealed record LayerRouting(
    int Layer, IReadOnlyList<long[]> WindowLoads, IReadOnlyList<double[]> CoActivation, long Tokens, double TokenEntropy, double Margin, double ZLoss);
