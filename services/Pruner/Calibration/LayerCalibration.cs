using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pruner.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>
/// One layer's share of calibration, batch by batch: forward, which shows a method the activations, or backward, which runs
/// the layer again with the gradient that the layer above left, and shows it the gradients too. Activations of one layer
/// and one batch are alive at a time, and no weight has a gradient.
/// </summary>
/// <param name="decoder">A decoder that holds the layer.</param>
/// <param name="layer">Its index there.</param>
/// <param name="method">Adds to the sums.</param>
/// <param name="need">What is shown to it; at least what it needs.</param>
/// <param name="sums">Sums of this layer.</param>
public sealed class LayerCalibration(MoeDecoder decoder, int layer, IPruningMethod method, CalibrationNeed need, LayerSums sums)
{
    /// <summary>All options of the step as written, for methods that read theirs.</summary>
    public JsonElement Options { get; init; }

    /// <summary>Runs the layer on a batch of the stream (B, S, H) and returns the stream after it.</summary>
    public Tensor Forward(Tensor stream)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        if (need != CalibrationNeed.Activations)
            return decoder.RunLayer(layer, stream).MoveToOuterDisposeScope();
        using var observer = new Observer(this, withGradients: false);
        var next = decoder.RunLayer(layer, stream, observer);
        observer.Finish(null);
        return next.MoveToOuterDisposeScope();
    }

    /// <summary>Runs the layer again on the stream before it, (B, S, H); from the loss gradient after the layer to that before it.</summary>
    public Tensor Backward(Tensor stream, Tensor above)
    {
        using var scope = NewDisposeScope();
        using var tracked = enable_grad();
        using var observer = new Observer(this, withGradients: true);
        var leaf = stream.detach().requires_grad_(true);
        var output = decoder.RunLayer(layer, leaf, observer);
        var gradients = autograd.grad([output], [leaf, .. observer.Probes], [above]);
        using var untracked = no_grad();
        observer.Finish(gradients.Skip(1).ToList());
        return gradients[0].MoveToOuterDisposeScope();
    }

    private void Show(BlockObservation seen)
    {
        foreach (var ofExpert in seen.Experts)
        {
            using var scope = NewDisposeScope();
            sums.Tokens[ofExpert.Expert] += ofExpert.Gates.shape[0];
            sums.Gates[ofExpert.Expert] += ofExpert.Gates.to(float64).sum().item<double>();
            sums.Largest[ofExpert.Expert] = Math.Max(sums.Largest[ofExpert.Expert], ofExpert.Output.abs().max().to(float64).item<double>());
            method.Observe(ofExpert, sums);
        }
        using var blockScope = NewDisposeScope();
        method.ObserveBlock(seen, sums);
    }

    // Keeps what block and experts saw until the gradients are there, then hands it to the method.
    private sealed class Observer(LayerCalibration owner, bool withGradients) : IMoeObserver, IDisposable
    {
        private readonly List<(int Expert, Tensor Tokens, Tensor Gates, Tensor Hidden, Tensor Output)> _seen = [];
        private readonly List<Tensor> _kept = [];
        private (Tensor Input, Tensor Logits, Tensor Gates)? _routing; // none in a dense layer
        private Tensor? _residual;

        public List<Tensor> Probes { get; } = [];

        public void OnRouting(RoutingTrace trace) =>
            _routing = (Keep(trace.Input.detach()), Keep(trace.Logits.detach()), Keep(trace.Gates.detach()));

        public Tensor OnExpert(ExpertTrace trace)
        {
            var output = trace.Output;
            if (withGradients)
            {
                var probe = Keep(zeros_like(trace.Output).requires_grad_(true));
                Probes.Add(probe);
                output += probe;
            }
            _seen.Add((trace.Expert, Keep(trace.Tokens.detach()), Keep(trace.Gates.detach()), Keep(trace.Hidden.detach()), Keep(trace.Output.detach())));
            return output;
        }

        public void OnBlock(int layer, Tensor residual, Tensor output) => _residual = Keep(residual.detach());

        public void Finish(List<Tensor>? gradients)
        {
            if (_routing is not { } routing)
                return;
            using var scope = NewDisposeScope();
            var experts = _seen.Select((of, i) => new ExpertObservation(
                of.Expert, of.Tokens, of.Gates, of.Hidden, of.Output, owner.Down(of.Expert), gradients?[i])).ToList();
            owner.Show(new BlockObservation(routing.Input, _residual!, routing.Logits, routing.Gates, experts) { Options = owner.Options });
        }

        public void Dispose() => _kept.ForEach(t => t.Dispose());

        // Out of the dispose scope of the forward pass, which ends before the gradients are there.
        private Tensor Keep(Tensor tensor)
        {
            _kept.Add(tensor.DetachFromDisposeScope());
            return tensor;
        }
    }

    private Tensor Down(int expert) => decoder.GetExpert(layer, expert).Down;
}
