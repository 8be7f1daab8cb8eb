using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Forward and backward pass of one micro-batch that keeps the stream between layers only: each layer runs once more, with gradients,
/// when its turn comes on the way back (arXiv 1604.06174). The plain twin of recomputation in fused kernels.
/// </summary>
internal sealed class LayerwiseTraining(MoeDecoder decoder, TrainerSettings settings, MicroBatchPlace place)
{
    /// <inheritdoc cref="DecoderTrainer.Step"/>
    public BatchLosses Accumulate(Tensor batch, long[][] counts, double share, IMoeObserver? observer) => WithoutKernels(() =>
    {
        var length = batch.shape[1] - 1;
        return Accumulate(batch.narrow(1, 0, length).contiguous(), batch.narrow(1, 1, length).contiguous(), counts, share, observer);
    });

    /// <summary>Adds each expert's tokens of a micro-batch (B, S + 1) to <paramref name="counts"/>, without gradients.</summary>
    public void Count(Tensor batch, long[][] counts) => WithoutKernels(() =>
    {
        using var untracked = no_grad();
        var stream = decoder.Embed(batch.narrow(1, 0, batch.shape[1] - 1).contiguous());
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var scope = NewDisposeScope();
            var (hidden, trace) = decoder.RunLayerTraced(layer, stream, null);
            stream.Dispose();
            stream = hidden.MoveToOuterDisposeScope();
            if (trace is not null)
                Add(trace.Counts, counts[layer]);
        }
        return stream.numel();
    });

    // Both runs of a layer must be one: kernels for runs without gradients round otherwise, and may choose other experts.
    private T WithoutKernels<T>(Func<T> run)
    {
        var uses = decoder.UsesKernels;
        decoder.UsesKernels = false;
        try
        {
            using var scope = NewDisposeScope();
            return run();
        }
        finally
        {
            decoder.UsesKernels = uses;
        }
    }

    private static void Add(IReadOnlyList<long> chosen, long[] counts)
    {
        for (var expert = 0; expert < chosen.Count; expert++)
            counts[expert] += chosen[expert];
    }

    private BatchLosses Accumulate(Tensor inputs, Tensor targets, long[][] counts, double share, IMoeObserver? observer)
    {
        var (streams, routing, selections) = Forward(inputs, observer);
        foreach (var (layer, chosen) in routing)
            Add(chosen, counts[layer]);
        var shares = routing.Count == 0 ? null : Shares(routing, selections, inputs.numel());

        var last = streams[^1].detach().requires_grad_(true);
        var taught = settings.Distillation?.Run(inputs, decoder.DocumentStarts);
        var (loss, divergence) = HeadLoss(last, targets, taught, share);
        var gradient = last.grad!;
        var (balance, routerZ, features) = (0.0, 0.0, 0.0);
        for (var layer = decoder.Config.Layers - 1; layer >= 0; layer--)
        {
            using var scope = NewDisposeScope();
            if (settings.Distillation is { Features: > 0 } distillation)
            {
                var (distance, pull) = distillation.Compare(streams[layer + 1], taught![layer]);
                features += distance;
                gradient = gradient + pull * share;
            }
            var stream = streams[layer].detach().requires_grad_(true);
            var (output, trace) = decoder.RunLayerTraced(layer, stream, null);
            var (ends, gradients) = (new List<Tensor> { output }, new List<Tensor> { gradient });
            if (trace is not null)
            {
                var parts = AuxiliaryLosses(trace, shares!, routing.Count);
                (balance, routerZ) = (balance + parts.Balance.item<float>(), routerZ + parts.RouterZ.item<float>());
                if (Weighted(parts, trace, routing.Count) is { } auxiliary)
                {
                    ends.Add(auxiliary);
                    gradients.Add(full_like(auxiliary, share));
                }
            }
            autograd.backward(ends, gradients);
            gradient = stream.grad!.MoveToOuterDisposeScope();
            streams[layer + 1].Dispose();
        }
        autograd.backward([decoder.Embed(inputs)], [gradient]);
        return new BatchLosses(loss, balance, routerZ, divergence, features) { Dropped = ExpertCapacity.DroppedShare([.. routing.Values], settings.Capacity) };
    }

    private (double Loss, double Divergence) HeadLoss(Tensor last, Tensor targets, IReadOnlyList<Tensor>? taught, double share)
    {
        using var scope = NewDisposeScope();
        var logits = decoder.Head(last);
        var loss = Losses.CrossEntropy(logits, targets);
        var (total, divergence) = taught is null ? (loss, null) : settings.Distillation!.Mix(logits, taught[^1], loss);
        (total * share).backward();
        return (loss.item<float>(), divergence?.item<float>() ?? 0);
    }

    /// <summary>The stream in front of each layer and behind the last, and what each layer with experts chose.</summary>
    private (List<Tensor> Streams, Dictionary<int, IReadOnlyList<long>> Routing, Tensor? Selections) Forward(Tensor inputs, IMoeObserver? observer)
    {
        using var untracked = no_grad();
        var selections = settings.LossScope == BalanceScope.Sequence ? zeros([inputs.shape[0], decoder.Config.Experts], device: inputs.device) : null; // (B, E)
        var streams = new List<Tensor> { decoder.Embed(inputs) };
        var routing = new Dictionary<int, IReadOnlyList<long>>();
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var scope = NewDisposeScope();
            var (hidden, trace) = decoder.RunLayerTraced(layer, streams[^1], observer);
            streams.Add(hidden.MoveToOuterDisposeScope());
            if (trace is null)
                continue;
            routing[layer] = trace.Counts;
            selections?.add_(Losses.SelectionsBySequence(trace, inputs.shape[0]));
        }
        return (streams, routing, selections);
    }

    /// <summary>Selections per row of all layers, by the scope of the loss: (1, E) or (B, E).</summary>
    private Tensor Shares(Dictionary<int, IReadOnlyList<long>> routing, Tensor? selections, long tokens)
    {
        var rows = (double)tokens * routing.Count;
        if (selections is not null)
            return selections / (rows / selections.shape[0]);
        var shares = place.StepShares
            ?? [.. Enumerable.Range(0, decoder.Config.Experts).Select(e => (float)(routing.Values.Sum(c => c[e]) / rows))];
        return tensor(shares, [1, shares.Length], device: decoder.Device);
    }

    /// <summary>The share of one layer in the load-balancing loss and in <see cref="Losses.RouterZ"/>, whose rows are those of all layers.</summary>
    private (Tensor Balance, Tensor RouterZ) AuxiliaryLosses(RoutingTrace trace, Tensor shares, int layers)
    {
        Tensor balance, routerZ;
        using (set_grad_enabled(settings.Balance == BalanceMethod.Loss))
            balance = Losses.LoadBalancingOfLayer(trace, shares, layers);
        using (set_grad_enabled(settings.RouterZCoefficient > 0))
            routerZ = trace.Logits.logsumexp(-1).square().sum() / ((double)trace.Logits.shape[0] * layers);
        return (balance, routerZ);
    }

    private Tensor? Weighted((Tensor Balance, Tensor RouterZ) parts, RoutingTrace trace, int layers)
    {
        var terms = new List<Tensor>();
        if (settings.Balance == BalanceMethod.Loss)
            terms.Add(parts.Balance * settings.BalanceCoefficient);
        if (settings.RouterZCoefficient > 0)
            terms.Add(parts.RouterZ * settings.RouterZCoefficient);
        if (settings.RouterEntropyCoefficient > 0)
            terms.Add(Losses.RouterEntropyOfLayer(trace) * (settings.RouterEntropyCoefficient / layers));
        return terms.Count == 0 ? null : terms.Aggregate((sum, term) => sum + term);
    }
}
