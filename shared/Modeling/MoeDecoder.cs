using System.Diagnostics.CodeAnalysis;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Modeling;

/// <summary>
/// A pre-norm decoder, mixture of experts or dense, in execution order:
/// embedding; per layer h += Attention(RMSNorm(h)), h += Moe(RMSNorm(h)) or Mlp(RMSNorm(h)); RMSNorm; head.
/// The families differ in attention (biases, norms, latent vectors), router and shared experts, as the configuration says.
/// Weights are kept in one buffer of one type; with <see cref="ComputeType"/> set to another type they are cast where
/// they are used, and activations have that type, except for norms' statistics, attention's softmax and the router,
/// which are float32. Shapes: B sequences of S tokens, T = B S, width H, E experts of width F, K per token.
/// </summary>
public sealed partial class MoeDecoder : IDisposable
{
    /// <summary>Logits that <see cref="TokenLosses"/> holds at once.</summary>
    public const long MostLogits = 1 << 25;

    private readonly IReadOnlyList<DecoderLayer> _layers;
    private readonly IReadOnlyList<DecoderLayer> _mixtures; // layers with an MoE block
    private readonly RotaryEmbedding _rotary;
    private readonly Tensor _embedding; // (V, H)
    private readonly Tensor _finalNorm; // (H)
    private readonly Tensor _head;      // (V, H)

    /// <summary>Shape and conventions. Only routing can change: see <see cref="ChangeRouting"/>.</summary>
    public ModelConfig Config { get; private set; }

    /// <summary>Where the weights are.</summary>
    public ParameterBuffer Buffer { get; }

    /// <summary>Trainable weights in layer order; experts stacked per layer.</summary>
    public IReadOnlyList<NamedParameter> Parameters => Buffer.Parameters;

    /// <summary>Type of activations and of weights where they are used.</summary>
    /// <value>the weights' own type</value>
    public ScalarType ComputeType { get; set; }

    /// <summary>Device of the weights.</summary>
    public Device Device => Buffer.Values.device;

    /// <summary>Logits for <paramref name="tokens"/> (B, S), int64, and how each layer routed them.</summary>
    public DecoderOutput Forward(Tensor tokens, IMoeObserver? observer = null)
    {
        var hidden = Embed(tokens);
        var routing = new List<RoutingTrace>(_layers.Count);
        foreach (var layer in _layers)
        {
            (hidden, var trace) = RunLayer(layer, hidden, observer);
            if (trace is not null)
                routing.Add(trace);
        }
        return new DecoderOutput(Head(hidden), routing);
    }

    /// <summary>Embeds <paramref name="tokens"/> (B, S), int64: (B, S, H).</summary>
    public Tensor Embed(Tensor tokens) =>
        Cast(_embedding).index_select(0, tokens.flatten()).view(tokens.shape[0], tokens.shape[1], Config.HiddenSize);

    /// <summary>Runs one layer on the residual stream <paramref name="hidden"/> (B, S, H).</summary>
    public Tensor RunLayer(int layer, Tensor hidden, IMoeObserver? observer = null)
    {
        using var scope = NewDisposeScope();
        return RunLayer(_layers[layer], hidden, observer).Hidden.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// As <see cref="RunLayer(int, Tensor, IMoeObserver?)"/>, and how the layer routed; null for a dense one. All tensors belong to the caller's scope.
    /// </summary>
    public (Tensor Hidden, RoutingTrace? Trace) RunLayerTraced(int layer, Tensor hidden, IMoeObserver? observer = null) =>
        RunLayer(_layers[layer], hidden, observer);

    /// <summary>Logits (B, S, V) for the last residual stream (B, S, H).</summary>
    public Tensor Head(Tensor hidden)
    {
        if (!Records(hidden) && Fused is { } fused)
            return fused.Head(hidden, _finalNorm, _head);
        using var scope = NewDisposeScope();
        return linear(RmsNorm(hidden, _finalNorm), Cast(_head)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Cross-entropy in nats (T), float32, of <paramref name="targets"/> (T), int64, after the last residual stream
    /// <paramref name="rows"/> (T, H); logits exist for a few rows at a time. Without gradients.
    /// </summary>
    public Tensor TokenLosses(Tensor rows, Tensor targets)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        if (Fused is { } fused)
            return fused.TokenLosses(rows, targets, _finalNorm, _head).MoveToOuterDisposeScope();
        var losses = new List<Tensor>();
        var chunk = Math.Max(1, MostLogits / Config.VocabularySize);
        for (var start = 0L; start < rows.shape[0]; start += chunk)
        {
            using var chunkScope = NewDisposeScope();
            var count = Math.Min(chunk, rows.shape[0] - start);
            var logits = Head(rows.narrow(0, start, count).unsqueeze(0)).squeeze(0).to(float32);          // (n, V)
            var losing = -logits.log_softmax(-1).gather(1, targets.narrow(0, start, count).unsqueeze(1)); // (n, 1)
            losses.Add(losing.squeeze(1).MoveToOuterDisposeScope());
        }
        return cat(losses).MoveToOuterDisposeScope();
    }

    private (Tensor Hidden, RoutingTrace? Trace) RunLayer(DecoderLayer layer, Tensor hidden, IMoeObserver? observer)
    {
        if (_cache is null && !Records(hidden) && Fused is { RunsLayers: true } fused && fused.Shows(layer, observer))
            return fused.RunLayer(layer, hidden, observer);
        using var scope = NewDisposeScope();
        var sequences = hidden.shape[0];
        hidden = hidden + Dropped(Attention(layer, RmsNorm(hidden, layer.InputNorm), observer), "attention", layer, sequences);
        var residual = hidden.view(-1, Config.HiddenSize);                                   // (T, H)
        var input = RmsNorm(residual, layer.PostNorm);                                       // (T, H)
        if (layer.Dense is { } dense)
        {
            var mlp = Dropped(Mlp(layer, dense, input, observer), "feed-forward", layer, sequences);
            return ((residual + mlp).view(hidden.shape).MoveToOuterDisposeScope(), null);
        }
        var trace = Count(Router.Route(Config, layer, input, hidden.shape[1]));
        observer?.OnRouting(trace);
        var output = Experts(layer, trace, sequences, observer);                             // (T, H)
        if (layer.Shared is { } shared)
            output = output + SharedExpert(layer, shared, input, observer);
        observer?.OnBlock(layer.Index, residual, output);
        foreach (var kept in (Tensor?[])[trace.Input, trace.Logits, trace.Scores, trace.Selected, trace.Gates, trace.Used])
            kept?.MoveToOuterDisposeScope();
        output = Dropped(output, "feed-forward", layer, sequences);
        return ((residual + output).view(hidden.shape).MoveToOuterDisposeScope(), trace);
    }

    // SwiGLU: down(silu(gate(x)) * up(x)).
    private Tensor Mlp(DecoderLayer layer, MlpWeights weights, Tensor input, IMoeObserver? observer)
    {
        var inner = silu(linear(input, Cast(weights.Gate))) * linear(input, Cast(weights.Up)); // (T, I)
        observer?.OnMlp(new MlpTrace(layer.Index, weights.Prefix, input, inner));
        return linear(inner, Cast(weights.Down));                                            // (T, H)
    }

    private Tensor SharedExpert(DecoderLayer layer, MlpWeights weights, Tensor input, IMoeObserver? observer)
    {
        var output = Mlp(layer, weights, input, observer);
        return layer.SharedGate is { } gate ? linear(input, Cast(gate)).sigmoid() * output : output;
    }

    // x * rsqrt(mean(x^2) + eps) in float32, rounded to the compute type, then times the weight.
    private Tensor RmsNorm(Tensor x, Tensor weight) => RmsNorm(x, weight, Config.NormEpsilon);

    private Tensor RmsNorm(Tensor x, Tensor weight, double epsilon)
    {
        var wide = x.to(float32);
        var normed = wide * (wide.square().mean([-1], keepdim: true) + epsilon).rsqrt();
        return normed.to(ComputeType) * Cast(weight);
    }

    // SwiGLU experts, dropless unless a training step says otherwise: tokens sorted by expert, one GEMM for gate and up and one for down per
    // expert, results added back in ascending expert order.
    private Tensor Experts(DecoderLayer layer, RoutingTrace trace, long sequences, IMoeObserver? observer)
    {
        var (order, counts) = Dispatch(trace);                                               // (T K)
        var tokens = order.div(Config.ExpertsPerToken, RoundingMode.floor);                  // (T K)
        var gates = trace.Gates.flatten().index_select(0, order);                            // (T K)
        var inputs = trace.Input.index_select(0, tokens).split(counts);                      // E of (T_e, H)
        var observed = observer is null ? null : new { Tokens = tokens.split(counts), Gates = gates.split(counts) };
        var (gateUpWeights, downWeights) = Config.TernaryExperts ? (Ternary.QuantizeGateUp(layer.GateUp!), Ternary.Quantize(layer.Down!))
            : (layer.GateUp!, layer.Down!);
        var gateUp = Cast(gateUpWeights).unbind();                                            // E of (2F, H)
        var down = Cast(downWeights).unbind();                                                 // E of (H, F)
        var outputs = new List<Tensor>(Config.Experts);
        for (var expert = 0; expert < Config.Experts; expert++)
        {
            if (counts[expert] == 0)
                continue;
            var halves = linear(inputs[expert], gateUp[expert]).chunk(2, -1);                // 2 of (T_e, F)
            var inner = silu(halves[0]) * halves[1];                                         // (T_e, F)
            var output = linear(inner, down[expert]);                                        // (T_e, H)
            if (observer is not null)
                output = observer.OnExpert(new ExpertTrace(
                    layer.Index, expert, observed!.Tokens[expert], observed.Gates[expert], inputs[expert], inner, output));
            outputs.Add(output);
        }
        var results = cat(outputs);                                                          // (T K, H)
        results = _pass?.DropFromExperts(results, order, trace.Selected.numel(), layer.Index, sequences) ?? results;
        var weighted = results * gates.to(ComputeType).unsqueeze(1);                         // (T K, H)
        return zeros_like(trace.Input).index_add(0, tokens, weighted, 1);                    // (T, H)
    }

    // The one device-to-host copy of a layer: how many tokens each expert got.
    private RoutingTrace Count(RoutingTrace trace)
    {
        using var scope = NewDisposeScope();
        var chosen = trace.Used is { } used ? trace.Selected.masked_select(used) : trace.Selected.flatten();
        using var counts = bincount(chosen, minlength: Config.Experts).cpu();
        return trace with { Counts = counts.data<long>().ToArray() };
    }

    [return: NotNullIfNotNull(nameof(weight))]
    private Tensor? Cast(Tensor? weight) => weight is null || weight.dtype == ComputeType ? weight : weight.to(ComputeType);
}
