using System.Diagnostics;
using Espalier.Modeling.Training;
using Espalier.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Fused;

/// <summary>
/// Forward and backward pass of one micro-batch with fused kernels, gradients added to the parameter buffer. Kept from
/// forward to backward: the streams, projections, attention's context and log-sums, routing, and gate and up of the
/// experts; norms, rotations, attention scores and activations are computed again. Logits exist for a few rows at a time.
/// With recomputation only the stream between layers is kept, and each layer runs once more before its backward pass: the same
/// kernels on the same numbers, so the same bits.
/// </summary>
internal sealed unsafe partial class FusedTraining(
    MoeDecoder decoder, FusedDecoder fused, IReadOnlyList<DecoderLayer> layers, Tensor embedding, Tensor finalNorm, Tensor head) : IDisposable
{
    private readonly Arena _arena = new();
    private readonly LayerArguments[] _layers = new LayerArguments[layers.Count];
    private readonly int[] _mixtures = [.. Enumerable.Range(0, layers.Count).Where(i => layers[i].Dense is null)];
    private EndArguments _ends;
    private float* _balance;
    private (long Tokens, long Length, int PerToken, bool Recomputes, Distillation? Distillation) _shape;

    /// <summary>Bytes of activations and scratch.</summary>
    public long SizeBytes => _arena.SizeBytes;

    /// <summary>
    /// Adds the gradient of <paramref name="share"/> times the loss of <paramref name="batch"/> (B, S + 1), and each
    /// expert's tokens to <paramref name="counts"/>.
    /// </summary>
    public BatchLosses Accumulate(Tensor batch, long[][] counts, double share, TrainerSettings settings, float[]? stepShares)
    {
        var tokens = Take(batch, settings);
        using var scope = NewDisposeScope();
        var taught = settings.Distillation is { } distillation ? RunTeacher(distillation, batch) : null;

        fixed (LayerArguments* layer = _layers)
        fixed (EndArguments* ends = &_ends)
        {
            Forward(layer, ends, counts);
            ends->Stream = layer[layers.Count - 1].Result;
            ends->Scale = share / tokens;
            ends->TeacherStream = taught is null ? null : FusedDecoder.At(taught[^1]);
            Run("head and loss, both ways", ends, &FusedKernels.HeadLosses);
            ends->Stream = layer[0].Input;

            var balance = BalanceLoss(settings, share, stepShares);
            var routerZ = RouterZ(settings, share);
            var features = 0.0;
            for (var i = layers.Count - 1; i >= 0; i--)
            {
                if (settings.Recompute && i < layers.Count - 1) // what the last layer left is still there
                    Forward(&layer[i]);
                if (settings.Distillation is { Features: > 0 })
                    features += Pull(layer[i].Result, taught![i], settings.Distillation.Features * share);
                if (layer[i].Experts > 0)
                    Run("experts and router backward", &layer[i], &FusedKernels.ExpertsBackward);
                else
                    Run("dense layer backward", &layer[i], &FusedKernels.MlpBackward);
                Run("attention backward", &layer[i], &FusedKernels.AttentionBackward);
            }
            Run("embedding backward", ends, &FusedKernels.EmbedBackward);
            return new BatchLosses(Mean(ends->Losses, tokens), balance, routerZ, taught is null ? 0 : Mean(ends->Divergences, tokens), features);
        }
    }

    /// <summary>Adds each expert's tokens in <paramref name="batch"/> (B, S + 1) to <paramref name="counts"/>: the forward pass alone.</summary>
    public void Count(Tensor batch, long[][] counts, TrainerSettings settings)
    {
        Take(batch, settings);
        fixed (LayerArguments* layer = _layers)
        fixed (EndArguments* ends = &_ends)
            Forward(layer, ends, counts);
    }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    // Makes room and takes the ids; how many inputs there are.
    private long Take(Tensor batch, TrainerSettings settings)
    {
        var (sequences, length) = (batch.shape[0], batch.shape[1] - 1);
        var source = batch.contiguous();
        Prepare(sequences * length, length, settings);
        Split(new ReadOnlySpan<long>(TensorMemory.Address<long>(source), (int)source.numel()), (int)length);
        if (!ReferenceEquals(source, batch))
            source.Dispose();
        return sequences * length;
    }

    private void Forward(LayerArguments* layer, EndArguments* ends, long[][] counts)
    {
        Run("embedding", ends, &FusedKernels.Embed);
        for (var i = 0; i < layers.Count; i++)
        {
            Forward(&layer[i]);
            for (var expert = 0; expert < layer[i].Experts; expert++)
                counts[i][expert] += layer[i].Counts[expert];
        }
    }

    private void Forward(LayerArguments* layer)
    {
        Run("attention forward", layer, &FusedKernels.AttentionForward);
        if (layer->Experts > 0)
        {
            Run("router forward", layer, &FusedKernels.RouterForward);
            Run("experts forward", layer, &FusedKernels.ExpertsForward);
            Run("experts combine", layer, &FusedKernels.ExpertsCombine);
        }
        if (layer->MlpInner > 0)
            Run("shared expert or dense layer, forward", layer, &FusedKernels.MlpForward);
    }

    private void Run<T>(string part, T* arguments, delegate*<T*, void> kernel) where T : unmanaged
    {
        var start = Stopwatch.GetTimestamp();
        kernel(arguments);
        Note(part, start);
    }

    private void Note(string part, long start)
    {
        if (decoder.Profile is { } profile)
            profile[part] = profile.GetValueOrDefault(part) + Stopwatch.GetElapsedTime(start);
    }

    private static double Mean(float* values, long count)
    {
        var total = 0.0;
        for (var i = 0L; i < count; i++)
            total += values[i];
        return total / count;
    }

    // See Losses.LoadBalancing; also leaves its gradient by every token's probabilities where the router looks for it.
    private double BalanceLoss(TrainerSettings settings, double share, float[]? stepShares)
    {
        var experts = decoder.Config.Experts;
        var rows = (double)_ends.Tokens * _mixtures.Length;
        var loss = 0.0;
        for (var expert = 0; expert < experts; expert++)
        {
            var (fraction, probability) = (0.0, 0.0);
            foreach (var index in _mixtures)
            {
                fraction += _layers[index].Counts[expert] / rows;
                probability += _layers[index].ProbabilitySums[expert] / rows;
            }
            fraction = stepShares?[expert] ?? fraction;
            loss += fraction * probability * experts;
            _balance[expert] = (float)(settings.BalanceCoefficient * share * experts * fraction / rows);
        }
        foreach (var index in _mixtures)
            _layers[index].Balance = settings.Balance == BalanceMethod.Loss ? _balance : null;
        return loss;
    }

    // See Losses.RouterZ.
    private double RouterZ(TrainerSettings settings, double share)
    {
        var rows = (double)_ends.Tokens * _mixtures.Length;
        var loss = 0.0;
        foreach (var index in _mixtures)
        {
            ref var layer = ref _layers[index];
            loss += *layer.SquaredLogSumExp / rows;
            layer.ZScale = settings.RouterZCoefficient * share / rows;
        }
        return loss;
    }

    // Inputs and their successors; ids are checked here, since the kernels take them as addresses.
    private void Split(ReadOnlySpan<long> batch, int length)
    {
        for (int from = 0, to = 0; from < batch.Length; from += length + 1, to += length)
        {
            foreach (var id in batch.Slice(from, length + 1))
            {
                if (id < 0 || id >= decoder.Config.VocabularySize)
                    throw new ArgumentException($"token id {id} is outside the vocabulary of {decoder.Config.VocabularySize}");
            }
            batch.Slice(from, length).CopyTo(new Span<long>(_ends.Ids + to, length));
            batch.Slice(from + 1, length).CopyTo(new Span<long>(_ends.Targets + to, length));
        }
    }

    private void Prepare(long tokens, long length, TrainerSettings settings)
    {
        var shape = (tokens, length, decoder.Config.ExpertsPerToken, settings.Recompute, settings.Distillation);
        if (_shape != shape)
        {
            _shape = default;
            _arena.Fill(() => Layout(tokens, length, settings));
            _shape = shape;
        }
        for (var i = 0; i < layers.Count; i++)
        {
            ref var layer = ref _layers[i]; // what can change between steps
            var now = fused.Describe(layers[i], tokens, length);
            (layer.Threads, layer.Bf16, layer.Groups, layer.GroupWidth) = (now.Threads, now.Bf16, now.Groups, now.GroupWidth);
            layer.SelectionBias = now.SelectionBias;
            layer.Members = now.Members;
            layer.Documents = now.Documents;
            layer.DocumentStarts = now.DocumentStarts;
            layer.Sizes = now.Sizes;
            layer.Cosine = now.Cosine;
            layer.Sine = now.Sine;
        }
        (_ends.Threads, _ends.Bf16) = (_layers[0].Threads, _layers[0].Bf16);
    }

    private void Layout(long tokens, long length, TrainerSettings settings)
    {
        var recomputes = settings.Recompute;
        for (var i = 0; i < layers.Count; i++)
            _layers[i] = Gradients(fused.Describe(layers[i], tokens, length), layers[i]);
        var first = _layers[0];
        var (query, key) = (first.Heads * first.HeadSize, first.KeyValueHeads * first.HeadSize);
        var (hidden, widest) = (first.Hidden, _layers.Max(layer => layer.MlpInner));
        var pairs = tokens * _layers.Max(layer => layer.PerToken);
        var stream = _arena.Take<float>(tokens * hidden);
        var shared = new LayerArguments
        {
            Normed = _arena.Take<float>(tokens * hidden),
            Rotated = _arena.Take<float>(tokens * (query + key)),
            InnerProduct = _arena.Take<float>(pairs * _layers.Max(layer => layer.Inner)),
            ExpertOutput = _arena.Take<float>(pairs * hidden),
            SortedGates = _arena.Take<float>(pairs),
            Gradient = _arena.Take<float>(tokens * hidden),
            NormedGradient = _arena.Take<float>(tokens * hidden),
            ProjectedGradient = _arena.Take<float>(tokens * (query + 2 * key)),
            ContextGradient = _arena.Take<float>(tokens * query),
            GatesGradient = _arena.Take<float>(pairs),
            LogitsGradient = _arena.Take<float>(tokens * decoder.Config.Experts),
            MlpProduct = _arena.Take<float>(tokens * widest),
            MlpProductGradient = _arena.Take<float>(tokens * widest),
            MlpScoresGradient = _arena.Take<float>(tokens),
            Partial = _arena.Take<float>(_layers.Max(layer => FusedDecoder.PartialLength(layer))),
        };
        var kept = recomputes ? TakeKept(tokens, _layers) : default;
        foreach (ref var layer in _layers.AsSpan())
        {
            Share(ref layer, shared);
            Keep(ref layer, recomputes ? kept : TakeKept(tokens, [layer]));
            layer.Input = stream;
            if (layer.Experts > 0)
            {
                layer.Counts = _arena.Take<long>(layer.Experts);
                layer.ProbabilitySums = _arena.Take<float>(layer.Experts);
                layer.SquaredLogSumExp = _arena.Take<double>(1);
            }
            layer.Result = stream = _arena.Take<float>(tokens * hidden);
        }
        _balance = _arena.Take<float>(decoder.Config.Experts);
        var rows = Math.Min(tokens, FusedDecoder.LogitRows(decoder.Config));
        _ends = new EndArguments
        {
            Tokens = tokens,
            Hidden = hidden,
            Vocabulary = decoder.Config.VocabularySize,
            Epsilon = decoder.Config.NormEpsilon,
            Ids = _arena.Take<long>(tokens),
            Targets = _arena.Take<long>(tokens),
            Embedding = FusedDecoder.At(embedding),
            FinalNorm = FusedDecoder.At(finalNorm),
            Head = FusedDecoder.At(head),
            EmbeddingGradient = GradientOf(embedding),
            FinalNormGradient = GradientOf(finalNorm),
            HeadGradient = GradientOf(head),
            Stream = _layers[0].Input,
            Gradient = shared.Gradient,
            Normed = shared.Normed,
            Logits = _arena.Take<float>(rows * decoder.Config.VocabularySize),
            Rows = rows,
            NormedGradient = shared.NormedGradient,
            Partial = shared.Partial,
            Losses = _arena.Take<float>(tokens),
        };
        if (settings.Distillation is { } distillation)
            AddTeacher(distillation, tokens, rows);
    }

    /// <summary>What one layer leaves for its backward pass; of several, room for any of them.</summary>
    private LayerArguments TakeKept(long tokens, LayerArguments[] of)
    {
        var first = of[0];
        var (query, key) = (first.Heads * first.HeadSize, first.KeyValueHeads * first.HeadSize);
        var kept = new LayerArguments
        {
            Projected = _arena.Take<float>(tokens * (query + 2 * key)),
            Context = _arena.Take<float>(tokens * query),
            LogSumExp = _arena.Take<float>(tokens * first.Heads),
            Middle = _arena.Take<float>(tokens * first.Hidden),
        };
        if (of.Max(layer => layer.Experts) is > 0 and var experts)
        {
            var pairs = tokens * of.Max(layer => layer.PerToken);
            kept.Logits = _arena.Take<float>(tokens * experts);
            kept.Gates = _arena.Take<float>(pairs);
            kept.Selected = _arena.Take<long>(pairs);
            kept.Order = _arena.Take<int>(pairs);
            kept.SortedTokens = _arena.Take<int>(pairs);
            kept.Halves = _arena.Take<float>(pairs * (2 * of.Max(layer => layer.Inner) + 16)); // rows a little apart, see experts.cpp
        }
        if (of.Max(layer => layer.MlpInner) is > 0 and var inner)
            kept.MlpHalves = _arena.Take<float>(tokens * (2 * inner + 16));
        return kept;
    }

    private static void Keep(ref LayerArguments layer, in LayerArguments kept)
    {
        layer.Projected = kept.Projected;
        layer.Context = kept.Context;
        layer.LogSumExp = kept.LogSumExp;
        layer.Middle = kept.Middle;
        layer.Logits = kept.Logits;
        layer.Gates = kept.Gates;
        layer.Selected = kept.Selected;
        layer.Order = kept.Order;
        layer.SortedTokens = kept.SortedTokens;
        layer.Halves = kept.Halves;
        layer.MlpHalves = kept.MlpHalves;
    }

    private static void Share(ref LayerArguments layer, in LayerArguments shared)
    {
        layer.Normed = shared.Normed;
        layer.Rotated = shared.Rotated;
        layer.InnerProduct = shared.InnerProduct;
        layer.ExpertOutput = shared.ExpertOutput;
        layer.SortedGates = shared.SortedGates;
        layer.Gradient = shared.Gradient;
        layer.NormedGradient = shared.NormedGradient;
        layer.ProjectedGradient = shared.ProjectedGradient;
        layer.ContextGradient = shared.ContextGradient;
        layer.GatesGradient = shared.GatesGradient;
        layer.LogitsGradient = shared.LogitsGradient;
        layer.MlpProduct = shared.MlpProduct;
        layer.MlpProductGradient = shared.MlpProductGradient;
        layer.MlpScoresGradient = shared.MlpScoresGradient;
        layer.Partial = shared.Partial;
    }

    private LayerArguments Gradients(LayerArguments arguments, DecoderLayer layer)
    {
        arguments.InputNormGradient = GradientOf(layer.InputNorm);
        arguments.QueryGradient = GradientOf(layer.Attention.Query!);
        arguments.KeyGradient = GradientOf(layer.Attention.Key!);
        arguments.ValueGradient = GradientOf(layer.Attention.Value!);
        arguments.QueryNormGradient = GradientOf(layer.Attention.QueryNorm);
        arguments.KeyNormGradient = GradientOf(layer.Attention.KeyNorm);
        arguments.OutputGradient = GradientOf(layer.Attention.Output!);
        arguments.PostNormGradient = GradientOf(layer.PostNorm);
        arguments.RouterGradient = GradientOf(layer.Router);
        arguments.RouterBiasGradient = GradientOf(layer.RouterBias);
        arguments.GateUpGradient = GradientOf(layer.GateUp);
        arguments.DownGradient = GradientOf(layer.Down);
        arguments.QueryBiasGradient = GradientOf(layer.Attention.QueryBias);
        arguments.KeyBiasGradient = GradientOf(layer.Attention.KeyBias);
        arguments.ValueBiasGradient = GradientOf(layer.Attention.ValueBias);
        arguments.MlpGateGradient = GradientOf(layer.Mlp?.Gate);
        arguments.MlpUpGradient = GradientOf(layer.Mlp?.Up);
        arguments.MlpDownGradient = GradientOf(layer.Mlp?.Down);
        arguments.MlpScaleGradient = GradientOf(layer.SharedGate);
        return arguments;
    }

    // Gradients lie in the layout of the weights.
    private float* GradientOf(Tensor? weight) => weight is null ? null : FusedDecoder.At(decoder.Buffer.Gradients!) + weight.storage_offset();
}
