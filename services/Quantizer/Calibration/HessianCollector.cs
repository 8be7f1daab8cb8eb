using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Quantizer.Calibration;

/// <summary>
/// Sums x x^T over the inputs of every matrix of one layer, in float64. Gate and up of an expert share their input, and so
/// do query, key and value. With <see cref="HessianRequest.AllTokens"/> every expert sees every token of the block;
/// with <see cref="HessianRequest.WeightByGate"/> a routed token counts with the square of its combine weight, which turns the error of
/// the expert's output into the error of the block's.
/// </summary>
internal sealed class HessianCollector(MoeDecoder decoder, HessianRequest request) : IMoeObserver, IDisposable
{
    private const string AttentionInput = "attention-input";
    private const string AttentionContext = "attention-context";

    private readonly Dictionary<string, (Tensor Sum, long Tokens)> _sums = [];
    private long _calibrationTokens;

    /// <summary>The moments of a matrix's input, or null when no token reached it. The caller disposes the Hessian.</summary>
    /// <param name="weightName">Name of the weight on disk; the layer in it is not looked at.</param>
    public InputMoments? Find(string weightName) =>
        _sums.TryGetValue(KeyOf(weightName), out var sum)
            ? new InputMoments(sum.Sum * (2.0 / sum.Tokens), sum.Tokens, _calibrationTokens)
            : null;

    /// <inheritdoc/>
    public void OnAttention(AttentionTrace trace)
    {
        Add(AttentionInput, trace.Input);
        Add(AttentionContext, trace.Context);
    }

    /// <inheritdoc/>
    public void OnRouting(RoutingTrace trace)
    {
        _calibrationTokens += trace.Input.shape[0];
        if (!request.AllTokens)
            return;
        using var scope = NewDisposeScope();
        Add(ExpertInput(null), trace.Input);
        for (var expert = 0; expert < decoder.Config.Experts; expert++)
        {
            using var expertScope = NewDisposeScope();
            var weights = decoder.GetExpert(trace.Layer, expert);
            Add(ExpertHidden(expert), silu(linear(trace.Input, weights.Gate)) * linear(trace.Input, weights.Up));
        }
    }

    /// <inheritdoc/>
    public Tensor OnExpert(ExpertTrace trace)
    {
        if (!request.AllTokens)
        {
            using var scope = NewDisposeScope();
            var weight = request.WeightByGate ? trace.Gates.to(float32).unsqueeze(1) : null; // (T_e, 1)
            Add(ExpertInput(trace.Expert), Weighted(trace.Input, weight));
            Add(ExpertHidden(trace.Expert), Weighted(trace.Hidden, weight));
        }
        return trace.Output;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (sum, _) in _sums.Values)
            sum.Dispose();
        _sums.Clear();
    }

    private static Tensor Weighted(Tensor inputs, Tensor? weight) => weight is null ? inputs : inputs.to(float32) * weight;

    private void Add(string key, Tensor inputs)
    {
        using var scope = NewDisposeScope();
        var x = inputs.to(float32);                             // (n, in)
        var products = x.transpose(0, 1).matmul(x).to(float64); // (in, in)
        if (!_sums.TryGetValue(key, out var sum))
            sum = (zeros_like(products).DetachFromDisposeScope(), 0);
        sum.Sum.add_(products);
        _sums[key] = (sum.Sum, sum.Tokens + x.shape[0]);
    }

    private string KeyOf(string weightName)
    {
        if (weightName.EndsWith("self_attn.o_proj.weight", StringComparison.Ordinal))
            return AttentionContext;
        if (weightName.Contains(".self_attn.", StringComparison.Ordinal))
            return AttentionInput;
        var parts = weightName.Split('.'); // model.layers.L.mlp.experts.E.PROJECTION.weight
        var expert = int.Parse(parts[^3], System.Globalization.CultureInfo.InvariantCulture);
        if (parts[^2] == "down_proj")
            return ExpertHidden(expert);
        return ExpertInput(request.AllTokens ? null : expert);
    }

    private static string ExpertInput(int? expert) => $"expert-input-{expert}";

    private static string ExpertHidden(int expert) => $"expert-hidden-{expert}";
}
