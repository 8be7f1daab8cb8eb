using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Forward and backward pass of one micro-batch that keeps the stream between layers only: each layer runs once more, with gradients,
/// when its turn comes on the way back (arXiv 1604.06174). The plain twin of recomputation in fused kernels.
/// </summary>
internal sealed class LayerwiseTraining(MoeDecoder decoder, TrainerSettings settings)
{
    /// <inheritdoc cref="DecoderTrainer.Step"/>
    public BatchLosses Accumulate(Tensor batch, long[][] counts, double share, IMoeObserver? observer)
    {
        // Both runs of a layer must be one: kernels for runs without gradients round otherwise, and may choose other experts.
        var uses = decoder.UsesKernels;
        decoder.UsesKernels = false;
        try
        {
            using var scope = NewDisposeScope();
            var length = batch.shape[1] - 1;
            return Accumulate(batch.narrow(1, 0, length).contiguous(), batch.narrow(1, 1, length).contiguous(), counts, share, observer);
        }
        finally
        {
            decoder.UsesKernels = uses;
        }
    }

    private BatchLosses Accumulate(Tensor inputs, Tensor targets, long[][] counts, double share, IMoeObserver? observer)
    {
        var (streams, routing) = Forward(inputs, observer);
        foreach (var (layer, chosen) in routing)
            for (var expert = 0; expert < chosen.Count; expert++)
                counts[layer][expert] += chosen[expert];

        var last = streams[^1].detach().requires_grad_(true);
        var taught = settings.Distillation?.Run(inputs);
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
                var parts = AuxiliaryLosses(trace, routing, inputs.numel());
                (balance, routerZ) = (balance + parts.Balance.item<float>(), routerZ + parts.RouterZ.item<float>());
                if (Weighted(parts) is { } auxiliary)
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
        return new BatchLosses(loss, balance, routerZ, divergence, features);
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
    private (List<Tensor> Streams, Dictionary<int, IReadOnlyList<long>> Routing) Forward(Tensor inputs, IMoeObserver? observer)
    {
        using var untracked = no_grad();
        var streams = new List<Tensor> { decoder.Embed(inputs) };
        var routing = new Dictionary<int, IReadOnlyList<long>>();
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var scope = NewDisposeScope();
            var (hidden, trace) = decoder.RunLayerTraced(layer, streams[^1], observer);
            streams.Add(hidden.MoveToOuterDisposeScope());
            if (trace is not null)
                routing[layer] = trace.Counts;
        }
        return (streams, routing);
    }

    /// <summary>The share of one layer in <see cref="Losses.LoadBalancing"/> and <see cref="Losses.RouterZ"/>, whose rows are those of all layers.</summary>
    private (Tensor Balance, Tensor RouterZ) AuxiliaryLosses(RoutingTrace trace, Dictionary<int, IReadOnlyList<long>> routing, long tokens)
    {
        var rows = (double)tokens * routing.Count;
        var experts = decoder.Config.Experts;
        Tensor balance, routerZ;
        using (set_grad_enabled(settings.Balance == BalanceMethod.Loss))
        {
            var fractions = tensor(
                Enumerable.Range(0, experts).Select(e => (float)(routing.Values.Sum(c => c[e]) / rows)).ToArray(), device: trace.Logits.device); // (E)
            balance = (fractions * nn.functional.softmax(trace.Logits, -1).sum(dim: 0)).sum() * (experts / rows);
        }
        using (set_grad_enabled(settings.RouterZCoefficient > 0))
            routerZ = trace.Logits.logsumexp(-1).square().sum() / rows;
        return (balance, routerZ);
    }

    private Tensor? Weighted((Tensor Balance, Tensor RouterZ) parts)
    {
        Tensor? sum = settings.Balance == BalanceMethod.Loss ? parts.Balance * settings.BalanceCoefficient : null;
        if (settings.RouterZCoefficient <= 0)
            return sum;
        var z = parts.RouterZ * settings.RouterZCoefficient;
        return sum is null ? z : sum + z;
    }
}
