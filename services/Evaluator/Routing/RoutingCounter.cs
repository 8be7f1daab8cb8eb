using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Routing;

/// <summary>Counts, layer by layer, which experts tokens are routed to, and how sure the router is.</summary>
internal sealed class RoutingCounter : IDisposable
{
    private readonly int _experts;
    private readonly SortedDictionary<int, LayerSums> _layers;

    public RoutingCounter(ModelConfig config, Device device)
    {
        _experts = config.Experts;
        _layers = new SortedDictionary<int, LayerSums>(config.SparseLayers.ToDictionary(layer => layer, _ => new LayerSums(
            zeros(config.Experts, config.Experts, dtype: float64, device: device).DetachFromDisposeScope(),
            zeros(3, dtype: float64, device: device).DetachFromDisposeScope(),
            new RouterShape())));
    }

    /// <summary>Counts how one layer routed one batch; batches come in the same order to every layer.</summary>
    /// <param name="trace">The routing; tensors stay the caller's.</param>
    /// <param name="windowLength">Tokens of each window of the batch.</param>
    public void Add(RoutingTrace trace, int windowLength)
    {
        using var scope = NewDisposeScope();
        var layer = _layers[trace.Layer];
        layer.Tokens += trace.Selected.shape[0];

        var used = trace.Used?.to(trace.Scores.dtype) ?? ones_like(trace.Gates, dtype: trace.Scores.dtype);                  // (T, K)
        var chosen = zeros_like(trace.Scores).scatter_(1, trace.Selected, used);                                            // (T, E) of 0 and 1
        layer.CoActivation.add_(chosen.transpose(0, 1).matmul(chosen).to(float64));                                          // (E, E)
        var perWindow = chosen.view(-1, windowLength, _experts).sum(1).to(int64).cpu();                                     // (B, E)
        foreach (var row in perWindow.data<long>().ToArray().Chunk(_experts))
            layer.WindowLoads.Add(row);

        var shares = trace.Scores / trace.Scores.sum(-1, keepdim: true);                                                     // (T, E)
        var entropy = -(shares * shares.clamp(min: 1e-30).log()).sum(-1);                                                    // (T)
        var margin = _experts > 1 ? Margin(shares.topk(2, -1).values) : ones_like(entropy);                                  // (T)
        var z = trace.Logits.logsumexp(-1).square();                                                                         // (T)
        layer.Sums.add_(stack([entropy, margin, z]).to(float64).sum(1));
        layer.Router.Add(trace, windowLength);
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
                    sums[2] / layer.Tokens,
                    layer.Router.Similarity,
                    layer.Router.Alignment);
            }),
        ];
    }

    /// <summary>Everything, for the cursor. Numbers survive exactly.</summary>
    public JsonNode Save()
    {
        using var scope = NewDisposeScope();
        var counts = _layers.ToDictionary(pair => pair.Key, pair => new SavedCounts(
            pair.Value.Tokens, pair.Value.Sums.cpu().data<double>().ToArray(), pair.Value.CoActivation.cpu().data<double>().ToArray(),
            pair.Value.WindowLoads, pair.Value.Router.Save()));
        return JsonSerializer.SerializeToNode(counts, WireJson.Options)!;
    }

    /// <summary>Takes back what <see cref="Save"/> gave.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public void Restore(JsonNode saved)
    {
        using var scope = NewDisposeScope();
        foreach (var (layer, counts) in saved.Deserialize<Dictionary<int, SavedCounts>>(WireJson.Options)!)
        {
            var sums = _layers[layer];
            sums.Tokens = counts.Tokens;
            sums.Sums.copy_(tensor(counts.Sums));
            sums.CoActivation.copy_(tensor(counts.CoActivation).view(_experts, _experts));
            sums.WindowLoads.Clear();
            sums.WindowLoads.AddRange(counts.WindowLoads);
            sums.Router.Restore(counts.Router);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers.Values)
        {
            layer.CoActivation.Dispose();
            layer.Sums.Dispose();
            layer.Router.Dispose();
        }
    }

    private static Tensor Margin(Tensor top) => top.select(-1, 0) - top.select(-1, 1);

    private sealed class LayerSums(Tensor coActivation, Tensor sums, RouterShape router)
    {
        public RouterShape Router { get; } = router;
        public Tensor CoActivation { get; } = coActivation; // (E, E)
        public Tensor Sums { get; } = sums;                 // (3): entropy, margin, z
        public List<long[]> WindowLoads { get; } = [];      // windows of (E)
        public long Tokens { get; set; }
    }

    private sealed record SavedCounts(long Tokens, double[] Sums, double[] CoActivation, IReadOnlyList<long[]> WindowLoads, RouterShape.Saved Router);
}

/// <summary>Counts of one layer.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="WindowLoads">For each window, tokens of each expert.</param>
/// <param name="CoActivation">(E, E) tokens that chose both; the diagonal is the load.</param>
/// <param name="Tokens">Tokens seen.</param>
/// <param name="TokenEntropy">Mean entropy of the router's distribution over a token's experts, nats.</param>
/// <param name="Margin">Mean difference of the two largest probabilities.</param>
/// <param name="ZLoss">Mean squared logsumexp of the logits.</param>
/// <param name="Similarity">Mean cosine of two rows of the router.</param>
/// <param name="Alignment">Mean cosine of an expert's row and the mean of its tokens.</param>
internal sealed record LayerRouting(
    int Layer, IReadOnlyList<long[]> WindowLoads, IReadOnlyList<double[]> CoActivation, long Tokens, double TokenEntropy, double Margin, double ZLoss,
    double Similarity, double Alignment);
