using Espalier.Modeling;
using Espalier.Pruner.Methods;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Pruner.Calibration;

/// <summary>
/// Runs calibration batches and lets a method add to its sums, one layer at a time. For gradients, the stream before each
/// layer is kept, then the layers run again from the last to the first, each with the gradient that the one above left:
/// activations of one layer are alive at a time, and no weight has a gradient.
/// </summary>
public sealed class CalibrationPass(MoeDecoder decoder, IPruningMethod method, IReadOnlyList<LayerSums> sums)
{
    /// <summary>Adds one batch.</summary>
    /// <param name="tokens">(B, S) int64; the loss is that of predicting each next token, summed, so batches of any size add up.</param>
    public void Run(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var streams = new List<Tensor> { decoder.Embed(tokens) }; // L + 1 of (B, S, H)
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var observer = new Observer(decoder, method, sums[layer], layer, withGradients: false);
            streams.Add(decoder.RunLayer(layer, streams[layer], method.Need == CalibrationNeed.Activations ? observer : null));
            if (method.Need == CalibrationNeed.Activations)
                observer.Finish(null);
        }
        if (method.Need != CalibrationNeed.Gradients)
            return;
        var gradient = HeadGradient(streams[^1], tokens);
        for (var layer = decoder.Config.Layers - 1; layer >= 0; layer--)
            gradient = LayerGradient(layer, streams[layer], gradient);
    }

    // Gradient of the summed next-token loss with respect to the last stream: (B, S, H).
    private Tensor HeadGradient(Tensor stream, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        using var tracked = enable_grad();
        var leaf = stream.detach().requires_grad_(true);
        var logits = decoder.Head(leaf).narrow(1, 0, tokens.shape[1] - 1).flatten(0, 1).to(float32); // (B (S-1), V)
        var targets = tokens.narrow(1, 1, tokens.shape[1] - 1).flatten();                            // (B (S-1))
        var loss = cross_entropy(logits, targets, reduction: nn.Reduction.Sum);
        return autograd.grad([loss], [leaf])[0].MoveToOuterDisposeScope();
    }

    private Tensor LayerGradient(int layer, Tensor stream, Tensor above)
    {
        using var scope = NewDisposeScope();
        using var tracked = enable_grad();
        using var observer = new Observer(decoder, method, sums[layer], layer, withGradients: true);
        var leaf = stream.detach().requires_grad_(true);
        var output = decoder.RunLayer(layer, leaf, observer);
        var gradients = autograd.grad([output], [leaf, .. observer.Probes], [above]);
        using var untracked = no_grad();
        observer.Finish(gradients.Skip(1).ToList());
        return gradients[0].MoveToOuterDisposeScope();
    }

    // Keeps what each expert saw until its gradient is there, then hands it to the method.
    private sealed class Observer(MoeDecoder decoder, IPruningMethod method, LayerSums sums, int layer, bool withGradients) : IMoeObserver, IDisposable
    {
        private readonly List<(int Expert, Tensor Gates, Tensor Hidden, Tensor Output)> _seen = [];
        private readonly List<Tensor> _kept = [];

        public List<Tensor> Probes { get; } = [];

        public Tensor OnExpert(ExpertTrace trace)
        {
            var output = trace.Output;
            if (withGradients)
            {
                var probe = Keep(zeros_like(trace.Output).requires_grad_(true));
                Probes.Add(probe);
                output += probe;
            }
            _seen.Add((trace.Expert, Keep(trace.Gates.detach()), Keep(trace.Hidden.detach()), Keep(trace.Output.detach())));
            return output;
        }

        public void Finish(List<Tensor>? gradients)
        {
            for (var i = 0; i < _seen.Count; i++)
            {
                using var scope = NewDisposeScope();
                var (expert, gates, hidden, output) = _seen[i];
                sums.Tokens[expert] += gates.shape[0];
                sums.Gates[expert] += gates.to(float64).sum().item<double>();
                method.Observe(new ExpertObservation(expert, gates, hidden, output, decoder.GetExpert(layer, expert).Down, gradients?[i]), sums);
            }
        }

        public void Dispose() => _kept.ForEach(t => t.Dispose());

        // Out of the dispose scope of the forward pass, which ends before the gradients are there.
        private Tensor Keep(Tensor tensor)
        {
            _kept.Add(tensor.DetachFromDisposeScope());
            return tensor;
        }
    }
}
