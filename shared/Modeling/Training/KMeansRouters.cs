using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>What the first means of k-means routers are made of.</summary>
public enum RouterStart
{
    /// <summary>Tokens of the first batch, chosen by <see cref="KMeansSeeds"/>: for fresh models.</summary>
    Seeds,

    /// <summary>The tokens of the first batch that learned routers send to each expert.</summary>
    Tokens,

    /// <summary>The directions of the rows, which are means already, as long as the means of the first batch.</summary>
    Rows,
}

/// <summary>
/// Routers without learned parameters (arXiv 2605.12476): mu_e = (1 - a) mu_e + a mean(x routed to e) after every optimizer step, over all
/// micro-batches of the step; an expert without tokens keeps its own. The router row of e is mu_e / |mu_e|, so that the logit of a token is |x|
/// cos(x, mu_e): experts are chosen by the cosine, the gates are those of the model's score function, and a plain router computes the same.
/// See the forward passes with it as their observer. The means are float32, whatever the weights are.
/// </summary>
public sealed class KMeansRouters : IMoeObserver, IDisposable
{
    private readonly MoeDecoder _decoder;
    private readonly double _rate;
    private readonly SortedDictionary<int, Layer> _layers;

    /// <summary>Begins without means, see <see cref="Begin"/>.</summary>
    /// <param name="decoder">Whose routers.</param>
    /// <param name="rate">a.</param>
    public KMeansRouters(MoeDecoder decoder, double rate)
    {
        (_decoder, _rate) = (decoder, rate);
        long[] shape = [decoder.Config.Experts, decoder.Config.HiddenSize];
        _layers = new SortedDictionary<int, Layer>(decoder.Config.SparseLayers.ToDictionary(layer => layer, layer => new Layer(
            decoder.Buffer.Views[TensorNames.Router(layer)].Value, Zeros(shape), Zeros(shape), Zeros([decoder.Config.Experts]))));

        Tensor Zeros(long[] extents) => zeros(extents, dtype: float32, device: decoder.Device).DetachFromDisposeScope();
    }

    /// <summary>The means (E, H) by layer, which are what the next step depends on; they belong to this.</summary>
    public IEnumerable<(int Layer, Tensor Means)> Means => _layers.Select(pair => (pair.Key, pair.Value.Means));

    /// <summary>Makes the first means, layer after layer, since each sees what the ones below make of theirs.</summary>
    /// <param name="tokens">(B, S), int64.</param>
    /// <param name="start">What of.</param>
    /// <param name="seed">Seed of what is drawn.</param>
    public void Begin(Tensor tokens, RouterStart start, long seed)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stream = _decoder.Embed(tokens);
        for (var index = 0; index < _decoder.Config.Layers; index++)
        {
            using var inner = NewDisposeScope();
            var (hidden, trace) = _decoder.RunLayerTraced(index, stream);
            if (trace is not null)
            {
                var layer = _layers[index];
                layer.Means.copy_(start == RouterStart.Seeds
                    ? KMeansSeeds.Choose(trace.Input.to(float32), _decoder.Config.Experts, RandomStream.For(seed, $"k-means++ {index}"))
                    : FromRouting(layer, trace, start));
                Show(layer);
                (hidden, _) = _decoder.RunLayerTraced(index, stream);
            }
            stream.Dispose();
            stream = hidden.MoveToOuterDisposeScope();
        }
    }

    /// <inheritdoc/>
    public void OnRouting(RoutingTrace trace)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (sums, counts) = RouterGeometry.SumsOf(trace);
        _layers[trace.Layer].Sums.add_(sums);
        _layers[trace.Layer].Counts.add_(counts);
    }

    /// <summary>Moves the means by the tokens that were seen since the last time, and the routers with them.</summary>
    public void Update()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using Scalar kept = 1 - _rate, rate = _rate;
        foreach (var layer in _layers.Values)
        {
            var (mean, isRouted) = layer.Mean();
            layer.Means.copy_(where(isRouted, layer.Means * kept + mean * rate, layer.Means));
            Show(layer);
        }
        Discard();
    }

    /// <summary>Forgets the tokens that were seen since the last time: those of a step that was not taken.</summary>
    public void Discard()
    {
        using var untracked = no_grad();
        foreach (var layer in _layers.Values)
        {
            layer.Sums.zero_();
            layer.Counts.zero_();
        }
    }

    /// <summary>Makes the rows of the routers as long as those of means: an average of several has shorter ones.</summary>
    public void NormalizeRows()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var layer in _layers.Values)
            layer.Router.detach().copy_(Direction(layer.Router.detach().to(float32)));
    }

    /// <summary>Frees the means.</summary>
    public void Dispose()
    {
        foreach (var layer in _layers.Values)
        {
            layer.Means.Dispose();
            layer.Sums.Dispose();
            layer.Counts.Dispose();
        }
    }

    // Experts without tokens have the direction of their row, as long as the mean of the others.
    private static Tensor FromRouting(Layer layer, RoutingTrace trace, RouterStart start)
    {
        var (sums, counts) = RouterGeometry.SumsOf(trace);
        var (mean, isRouted) = new Layer(layer.Router, layer.Means, sums, counts).Mean();                      // (E, H), (E, 1)
        var lengths = Length(mean);                                                                             // (E, 1)
        var usual = lengths.sum() / isRouted.to(float32).sum();
        var rows = Direction(layer.Router.detach().to(float32)) * where(isRouted, lengths, usual);              // (E, H)
        return start == RouterStart.Rows ? rows : where(isRouted, mean, rows);
    }

    private static void Show(Layer layer)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        layer.Router.detach().copy_(Direction(layer.Means));
    }

    private static Tensor Length(Tensor rows) => rows.square().sum(-1, keepdim: true).sqrt();

    private static Tensor Direction(Tensor rows)
    {
        using Scalar least = 1e-12f;
        return rows / Length(rows).clamp(min: least);
    }

    /// <summary>The router of one layer.</summary>
    /// <param name="Router">(E, H) the model's own.</param>
    /// <param name="Means">(E, H).</param>
    /// <param name="Sums">(E, H) of tokens since the last update.</param>
    /// <param name="Counts">(E) how many.</param>
    private sealed record Layer(Tensor Router, Tensor Means, Tensor Sums, Tensor Counts)
    {
        public (Tensor Mean, Tensor IsRouted) Mean()
        {
            using Scalar one = 1, zero = 0;
            return (Sums / Counts.clamp(min: one).unsqueeze(1), Counts.gt(zero).unsqueeze(1));
        }
    }
}
