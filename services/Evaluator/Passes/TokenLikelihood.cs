using Espalier.Contracts;
using Espalier.Modeling;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>Negative log-likelihood of given tokens: log-softmax in float32, returned as doubles for sums in 64 bits.</summary>
internal static class TokenLikelihood
{
    /// <summary>-ln p(target) for each position.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="inputs">(B, L) int64 tokens.</param>
    /// <param name="targets">(B L) int64 tokens to predict.</param>
    /// <param name="observer">Sees the routing.</param>
    public static double[] Score(MoeDecoder decoder, Tensor inputs, Tensor targets, IMoeObserver? observer = null)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var hidden = decoder.Embed(inputs.to(decoder.Device)); // (B, L, H)
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
            hidden = decoder.RunLayer(layer, hidden, observer);
        var rows = hidden.flatten(0, 1);                       // (B L, H)
        var losses = decoder.TokenLosses(rows, targets.to(decoder.Device)).to(float64).cpu();
        var scores = losses.data<double>().ToArray();
        return Array.TrueForAll(scores, double.IsFinite)
            ? scores
            : throw new UserInputException(
                "The model's probabilities are not finite: its activations overflow. Evaluate it with 'precision: fp32', or check how it was trained.");
    }
}
