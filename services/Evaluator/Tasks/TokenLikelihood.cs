using Espalier.Contracts;
using Espalier.Modeling;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tasks;

/// <summary>Negative log-likelihood of given tokens: log-softmax in float32, returned as doubles for sums in 64 bits.</summary>
internal static class TokenLikelihood
{
    private const long MostLogits = 1 << 25; // elements held at once by the head

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
        var expected = targets.to(decoder.Device);
        var chunk = Math.Max(1, MostLogits / decoder.Config.VocabularySize);
        var scores = new List<double>(checked((int)rows.shape[0]));
        for (var start = 0L; start < rows.shape[0]; start += chunk)
        {
            using var chunkScope = NewDisposeScope();
            var count = Math.Min(chunk, rows.shape[0] - start);
            var logits = decoder.Head(rows.narrow(0, start, count).unsqueeze(0)).squeeze(0).to(float32); // (n, V)
            var target = expected.narrow(0, start, count).unsqueeze(1);
            var nll = -logits.log_softmax(-1).gather(1, target).squeeze(1);                             // (n)
            scores.AddRange(nll.to(float64).cpu().data<double>());
        }
        return scores.TrueForAll(double.IsFinite)
            ? [.. scores]
            : throw new UserInputException("The model's probabilities are not finite: its activations overflow. Evaluate it with 'precision: fp32', or check how it was trained.");
    }
}
