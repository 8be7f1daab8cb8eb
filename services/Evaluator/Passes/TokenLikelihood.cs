using Espalier.Contracts;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>Negative log-likelihood of given tokens: log-softmax in float32, returned as doubles for sums in 64 bits.</summary>
internal static class TokenLikelihood
{
    /// <summary>-ln p(target) for each position.</summary>
    /// <param name="last">What is behind the layers.</param>
    /// <param name="targets">(B L) int64 tokens to predict.</param>
    public static double[] Score(BehindLayers last, Tensor targets)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var losses = last.Head.TokenLosses(last.Rows, targets.to(last.Head.Device)).to(float64).cpu(); // (B L)
        var scores = losses.data<double>().ToArray();
        return Array.TrueForAll(scores, double.IsFinite)
            ? scores
            : throw new UserInputException(
                "The model's probabilities are not finite: its activations overflow. Evaluate it with 'precision: fp32', or check how it was trained.");
    }
}
