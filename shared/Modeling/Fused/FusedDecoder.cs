using System.Runtime.InteropServices;
using Espalier.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Fused;

/// <summary>
/// Runs a decoder's layers with fused kernels instead of tensor operations: the same formulas, float32, on the CPU. In a training
/// step in bf16 the factors of products with weights are rounded, and all else is float32.
/// The twin is <see cref="MoeDecoder"/>'s own code; tests compare results and every gradient.
/// </summary>
internal sealed unsafe class FusedDecoder(MoeDecoder decoder, RotaryEmbedding rotary) : IDisposable
{
    private const int LargestHead = 256;     // one block of depth in the kernels
    private const int MostExperts = 1 << 14; // they keep a few numbers per expert on the stack

    private readonly Arena _arena = new();
    private LayerArguments _scratch;
    private (long Tokens, int PerToken) _shape;

    /// <summary>Whether kernels exist for the head of such a model.</summary>
    public static bool Supports(ParameterBuffer buffer, ScalarType computeType) => computeType == ScalarType.Float32 && Reads(buffer);

    /// <summary>Whether kernels exist for its training steps: in bf16 too, where activations and sums stay float32.</summary>
    public static bool SupportsTraining(ParameterBuffer buffer, ScalarType computeType) =>
        (computeType == ScalarType.Float32 || (computeType == ScalarType.BFloat16 && FusedKernels.HasBf16)) && Reads(buffer);

    /// <summary>Whether kernels can read such weights.</summary>
    public static bool Reads(ParameterBuffer buffer) =>
        buffer.Values.dtype == ScalarType.Float32 && buffer.Values.device_type == DeviceType.CPU && FusedKernels.IsAvailable;

    /// <summary>Whether kernels exist for its layers.</summary>
    public bool RunsLayers => _supportsLayers && decoder.Config.TopP is null; // which training changes

    private readonly bool _supportsLayers = SupportsLayers(decoder.Config);

    private static bool SupportsLayers(ModelConfig config) =>
        config.ClipQkv is null && config.HeadSize <= LargestHead && config.HeadSize % 2 == 0 && config.Experts <= MostExperts
        && config is { OutputBias: false, Latent: null, ExpertGroups: 1, TernaryExperts: false, WindowedLayers.Count: 0 };

    /// <summary>Shapes and weights of one layer.</summary>
    public LayerArguments Describe(DecoderLayer layer, long tokens, long length)
    {
        var config = decoder.Config;
        var (cosine, sine) = rotary.Tables(length, ScalarType.Float32, decoder.Device);
        var arguments = new LayerArguments
        {
            Threads = get_num_threads(),
            Tokens = tokens,
            Length = length,
            Hidden = config.HiddenSize,
            Heads = config.Heads,
            KeyValueHeads = config.KeyValueHeads,
            HeadSize = config.HeadSize,
            Experts = layer.Dense is null ? config.Experts : 0,
            PerToken = layer.Dense is null ? config.ExpertsPerToken : 0,
            Inner = layer.Dense is null ? config.ExpertSize : 0,
            IsSigmoid = config.ScoreFunction == ScoreFunction.Sigmoid ? 1 : 0,
            Normalizes = config.NormalizeTopK ? 1 : 0,
            AddsResidual = 1,
            Index = layer.Position,
            Bf16 = IsBf16,
            HeadNorm = config.QueryKeyNorm switch { QueryKeyNorm.Whole => 0, QueryKeyNorm.PerHead => 1, _ => 2 },
            Epsilon = config.NormEpsilon,
            RoutedScale = config.RoutedScale,
            InputNorm = At(layer.InputNorm),
            Query = At(layer.Attention.Query),
            Key = At(layer.Attention.Key),
            Value = At(layer.Attention.Value),
            QueryNorm = At(layer.Attention.QueryNorm),
            KeyNorm = At(layer.Attention.KeyNorm),
            Output = At(layer.Attention.Output),
            PostNorm = At(layer.PostNorm),
            Router = At(layer.Router),
            RouterBias = At(layer.RouterBias),
            SelectionBias = At(layer.SelectionBias),
            GateUp = At(layer.GateUp),
            Down = At(layer.Down),
            Cosine = At(cosine),
            Sine = At(sine),
            QueryBias = At(layer.Attention.QueryBias),
            KeyBias = At(layer.Attention.KeyBias),
            ValueBias = At(layer.Attention.ValueBias),
        };
        if (layer.Mlp is { } mlp)
        {
            arguments.MlpInner = mlp.Down.shape[1];
            arguments.MlpGate = At(mlp.Gate);
            arguments.MlpUp = At(mlp.Up);
            arguments.MlpDown = At(mlp.Down);
            arguments.MlpScale = At(layer.SharedGate);
        }
        if (decoder.DocumentStarts is { } starts)
        {
            arguments.Documents = starts.Length - 1;
            arguments.DocumentStarts = (long*)Marshal.UnsafeAddrOfPinnedArrayElement(starts, 0);
        }
        if (config.SiblingExclusive && layer.Dense is null)
        {
            arguments.Groups = layer.Siblings!.Count;
            arguments.GroupWidth = layer.Siblings.Width;
            arguments.Members = TensorMemory.Address<long>(layer.Siblings.Members);
            arguments.Sizes = TensorMemory.Address<long>(layer.Siblings.Sizes);
        }
        return arguments;
    }

    /// <summary>Whether an observer sees through the kernels all that it would see without: not what a gated shared expert computes.</summary>
    public bool Shows(DecoderLayer layer, IMoeObserver? observer) => observer is null || layer.SharedGate is null;

    /// <summary>
    /// One layer without gradients on <paramref name="hidden"/> (B, S, H). The trace's tensors and the result belong to
    /// the caller's scope; there is none for a layer without experts.
    /// </summary>
    public (Tensor Hidden, RoutingTrace? Trace) RunLayer(DecoderLayer layer, Tensor hidden, IMoeObserver? observer)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var config = decoder.Config;
        var stream = hidden.contiguous();
        var (tokens, pairs) = (hidden.shape[0] * hidden.shape[1], hidden.shape[0] * hidden.shape[1] * config.ExpertsPerToken);
        var arguments = Prepare(layer, tokens, hidden.shape[1]);
        var (context, input) = (Floats(tokens, (long)config.Heads * config.HeadSize), Floats(tokens, config.HiddenSize));
        var attentionInput = observer is null ? null : Floats(tokens, config.HiddenSize);
        var (middle, result) = (Floats(tokens, config.HiddenSize), Floats(tokens, config.HiddenSize));
        var (halves, product) = (Floats(tokens, 2 * arguments.MlpInner + 16), Floats(tokens, arguments.MlpInner));
        arguments.MlpHalves = At(halves);
        arguments.MlpProduct = At(product);
        if (layer.Dense is { } dense)
        {
            RunDense(ref arguments);
            return (result.view(hidden.shape).MoveToOuterDisposeScope(), null);
        }
        var (logits, gates) = (Floats(tokens, config.Experts), Floats(tokens, config.ExpertsPerToken));
        var selected = empty([tokens, config.ExpertsPerToken], dtype: int64);
        var (inner, outputs, sortedGates) = (Floats(pairs, config.ExpertSize), Floats(pairs, config.HiddenSize), Floats(pairs));
        var counts = new long[config.Experts];
        fixed (long* count = counts)
        {
            arguments.Input = At(stream);
            arguments.Context = At(context);
            arguments.Middle = At(middle);
            arguments.Result = At(result);
            arguments.Logits = At(logits);
            arguments.Gates = At(gates);
            arguments.Selected = TensorMemory.Address<long>(selected);
            arguments.InnerProduct = At(inner);
            arguments.ExpertOutput = At(outputs);
            arguments.SortedGates = At(sortedGates);
            arguments.Counts = count;

            arguments.Normed = At(attentionInput ?? input);
            FusedKernels.AttentionForward(&arguments);
            observer?.OnAttention(new AttentionTrace(layer.Index, attentionInput!, context));

            arguments.Normed = At(input);
            FusedKernels.RouterForward(&arguments);
            var trace = new RoutingTrace(layer.Index, input, logits, Router.Score(config, logits), selected, gates)
            {
                Counts = counts,
                Router = layer.Router,
            };
            observer?.OnRouting(trace);

            FusedKernels.ExpertsForward(&arguments);
            if (observer is not null)
            {
                Show(observer, trace, new ReadOnlySpan<int>(arguments.SortedTokens, (int)pairs), sortedGates, inner, outputs);
                arguments.AddsResidual = 0;
            }
            FusedKernels.ExpertsCombine(&arguments);
            if (layer.Shared is { } shared)
            {
                FusedKernels.MlpForward(&arguments);
                observer?.OnMlp(new MlpTrace(layer.Index, shared.Prefix, input, product));
            }
            if (observer is not null)
            {
                observer.OnBlock(layer.Index, middle, result);
                result = middle + result;
            }
            foreach (var kept in (Tensor[])[trace.Input, trace.Logits, trace.Scores, trace.Selected, trace.Gates])
                kept.MoveToOuterDisposeScope();
            return (result.view(hidden.shape).MoveToOuterDisposeScope(), trace);
        }

        void RunDense(ref LayerArguments own)
        {
            own.Input = At(stream);
            own.Context = At(context);
            own.Middle = At(middle);
            own.Result = At(result);
            fixed (LayerArguments* all = &own)
            {
                all->Normed = At(attentionInput ?? input);
                FusedKernels.AttentionForward(all);
                observer?.OnAttention(new AttentionTrace(layer.Index, attentionInput!, context));
                all->Normed = At(input);
                FusedKernels.MlpForward(all);
                observer?.OnMlp(new MlpTrace(layer.Index, dense.Prefix, input, product));
            }
        }
    }

    /// <summary>Logits (B, S, V) of <paramref name="hidden"/> (B, S, H), without gradients.</summary>
    public Tensor Head(Tensor hidden, Tensor finalNorm, Tensor head)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stream = hidden.contiguous();
        var tokens = hidden.numel() / decoder.Config.HiddenSize;
        var (normed, logits) = (Floats(tokens, decoder.Config.HiddenSize), Floats(tokens, decoder.Config.VocabularySize));
        var arguments = Ends(tokens, stream, normed, logits, finalNorm, head);
        FusedKernels.HeadForward(&arguments);
        return logits.view([.. hidden.shape[..^1], decoder.Config.VocabularySize]).MoveToOuterDisposeScope();
    }

    /// <summary>Cross-entropy (T) of <paramref name="targets"/> (T) after <paramref name="rows"/> (T, H), without gradients.</summary>
    public Tensor TokenLosses(Tensor rows, Tensor targets, Tensor finalNorm, Tensor head)
    {
        using var scope = NewDisposeScope();
        var (stream, expected, tokens) = (rows.contiguous(), targets.contiguous(), rows.shape[0]);
        if (((expected < 0) | (expected >= decoder.Config.VocabularySize)).any().item<bool>())
            throw new ArgumentException($"a target is outside the vocabulary of {decoder.Config.VocabularySize}");
        var most = Math.Min(tokens, LogitRows(decoder.Config));
        var (normed, logits, losses) = (Floats(tokens, decoder.Config.HiddenSize), Floats(most, decoder.Config.VocabularySize), Floats(tokens));
        var arguments = Ends(tokens, stream, normed, logits, finalNorm, head);
        arguments.Rows = most;
        arguments.Targets = TensorMemory.Address<long>(expected);
        arguments.Losses = At(losses);
        FusedKernels.HeadLosses(&arguments);
        return losses.MoveToOuterDisposeScope();
    }

    /// <summary>Rows of logits to hold at once: about 8 MiB.</summary>
    public static long LogitRows(ModelConfig config) => Math.Max(48, (1 << 21) / config.VocabularySize);

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    /// <summary>Floats that the kernels add shares of sums in.</summary>
    public static long PartialLength(in LayerArguments l)
    {
        var rotated = (l.Heads + l.KeyValueHeads) * l.HeadSize;
        var norms = Pieces(l.Tokens, 128) * Math.Max(l.Hidden, rotated + l.KeyValueHeads * l.HeadSize);
        return Math.Max(norms, Math.Max(Pieces(l.Tokens, 64) * (l.Experts + 2), Pieces(l.Inner, 64) * l.Tokens * l.PerToken));
    }

    /// <summary>What kernels take for "in bf16".</summary>
    public long IsBf16 => decoder.ComputeType == ScalarType.BFloat16 ? 1 : 0;

    internal static float* At(Tensor? tensor) => tensor is null ? null : TensorMemory.Address<float>(tensor);

    private EndArguments Ends(long tokens, Tensor stream, Tensor normed, Tensor logits, Tensor finalNorm, Tensor head) => new()
    {
        Threads = get_num_threads(),
        Tokens = tokens,
        Hidden = decoder.Config.HiddenSize,
        Vocabulary = decoder.Config.VocabularySize,
        Epsilon = decoder.Config.NormEpsilon,
        FinalNorm = At(finalNorm),
        Head = At(head),
        Stream = At(stream),
        Normed = At(normed),
        Logits = At(logits),
        Rows = tokens,
    };

    private static long Pieces(long total, long size) => (total + size - 1) / size;

    private static Tensor Floats(params long[] shape) => empty(shape, dtype: float32);

    private static void Show(IMoeObserver observer, RoutingTrace trace, ReadOnlySpan<int> sorted, Tensor gates, Tensor inner, Tensor outputs)
    {
        using var scope = NewDisposeScope();
        var indices = new long[sorted.Length];
        for (var i = 0; i < indices.Length; i++)
            indices[i] = sorted[i];
        var tokens = tensor(indices);
        var inputs = trace.Input.index_select(0, tokens);                                    // (T K, H)
        var start = 0L;
        for (var expert = 0; expert < trace.Counts.Count; start += trace.Counts[expert++])
        {
            if (trace.Counts[expert] == 0)
                continue;
            var output = Part(outputs);
            var changed = observer.OnExpert(new ExpertTrace(trace.Layer, expert, Part(tokens), Part(gates), Part(inputs), Part(inner), output));
            if (!ReferenceEquals(changed, output))
                output.copy_(changed);

            Tensor Part(Tensor all) => all.narrow(0, start, trace.Counts[expert]);
        }
    }

    // Memory that no caller sees, for any layer at this number of tokens.
    private LayerArguments Prepare(DecoderLayer layer, long tokens, long length)
    {
        var arguments = Describe(layer, tokens, length);
        var shape = (tokens, decoder.Config.ExpertsPerToken);
        if (_shape != shape)
        {
            _shape = shape;
            // Enough for a layer of either kind, so that a model with both keeps it from layer to layer.
            var any = arguments;
            (any.Experts, any.PerToken, any.Inner) = (decoder.Config.Experts, decoder.Config.ExpertsPerToken, decoder.Config.ExpertSize);
            _arena.Fill(() =>
            {
                var widths = (Query: arguments.Heads * arguments.HeadSize, Key: arguments.KeyValueHeads * arguments.HeadSize);
                _scratch.Projected = _arena.Take<float>(tokens * (widths.Query + 2 * widths.Key));
                _scratch.Rotated = _arena.Take<float>(tokens * (widths.Query + widths.Key));
                _scratch.LogSumExp = _arena.Take<float>(tokens * arguments.Heads);
                _scratch.Order = _arena.Take<int>(tokens * any.PerToken);
                _scratch.SortedTokens = _arena.Take<int>(tokens * any.PerToken);
                _scratch.ProbabilitySums = _arena.Take<float>(any.Experts);
                _scratch.SquaredLogSumExp = _arena.Take<double>(1);
                _scratch.Partial = _arena.Take<float>(PartialLength(any));
            });
        }
        arguments.Projected = _scratch.Projected;
        arguments.Rotated = _scratch.Rotated;
        arguments.LogSumExp = _scratch.LogSumExp;
        arguments.Order = _scratch.Order;
        arguments.SortedTokens = _scratch.SortedTokens;
        arguments.ProbabilitySums = _scratch.ProbabilitySums;
        arguments.SquaredLogSumExp = _scratch.SquaredLogSumExp;
        arguments.Partial = _scratch.Partial;
        return arguments;
    }
}
