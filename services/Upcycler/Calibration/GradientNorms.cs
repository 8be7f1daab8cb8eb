using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Upcycler.Calibration;

/// <summary>
/// Gradient norms of every expert: g is the gradient of the mean next-token loss, averaged over the batches before any
/// norm is taken. (The mean of per-batch squared norms would be the Fisher information instead.) No auxiliary loss.
/// </summary>
public sealed class GradientNorms : IDisposable
{
    private readonly MoeDecoder _decoder;
    private int _batches;

    /// <summary>Prepares a decoder, whose gradients must be zero.</summary>
    public GradientNorms(MoeDecoder decoder)
    {
        _decoder = decoder;
        _decoder.Buffer.RequireGradients();
        Tokens = [.. Enumerable.Range(0, decoder.Config.Layers).Select(_ => new long[decoder.Config.Experts])];
    }

    /// <summary>Tokens that each expert got, per layer. An expert with none has no gradient and scores 0.</summary>
    public IReadOnlyList<long[]> Tokens { get; }

    /// <summary>Adds the gradient of one batch (B, S), int64, and returns its mean loss in nats per token.</summary>
    public double Add(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        using var tracked = enable_grad();
        var output = _decoder.Forward(tokens);
        var logits = output.Logits.narrow(1, 0, tokens.shape[1] - 1).flatten(0, 1).to(float32); // (B (S-1), V)
        var targets = tokens.narrow(1, 1, tokens.shape[1] - 1).flatten();                       // (B (S-1))
        var loss = cross_entropy(logits, targets);
        loss.backward();
        foreach (var trace in output.Routing)
            for (var expert = 0; expert < trace.Counts.Count; expert++)
                Tokens[trace.Layer][expert] += trace.Counts[expert];
        _batches++;
        return loss.item<float>();
    }

    /// <summary>||g|| of fc1 (gate and up) and fc2 (down) of each expert of a layer.</summary>
    public (double[] Fc1, double[] Fc2) Norms(int layer) =>
        (PerExpert(TensorNames.ExpertsGateUp(layer)), PerExpert(TensorNames.ExpertsDown(layer)));

    /// <inheritdoc/>
    public void Dispose() => _decoder.Dispose();

    private double[] PerExpert(string parameter)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var gradient = _decoder.Parameters.Single(p => p.Name == parameter).Value.grad!;          // (E, rows, columns)
        var squares = stack([.. gradient.unbind().Select(g => g.to(float64).square().sum())]);    // (E)
        return [.. (squares.sqrt() / _batches).cpu().data<double>().ToArray()];
    }
}
