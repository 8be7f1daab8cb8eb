using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Surgery.Calibration;

/// <summary>Where the way back begins.</summary>
public static class HeadGradient
{
    /// <summary>
    /// Gradient of the summed next-token loss with respect to the last stream: (B, S, H), in the caller's dispose scope. The loss is a sum, so
    /// batches of any size add up.
    /// </summary>
    /// <param name="decoder">A decoder that holds last norm and head.</param>
    /// <param name="stream">(B, S, H).</param>
    /// <param name="tokens">(B, S) int64.</param>
    public static Tensor Of(MoeDecoder decoder, Tensor stream, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        using var tracked = enable_grad();
        var leaf = stream.detach().requires_grad_(true);
        var logits = decoder.Head(leaf).narrow(1, 0, tokens.shape[1] - 1).flatten(0, 1).to(float32); // (B (S-1), V)
        var targets = tokens.narrow(1, 1, tokens.shape[1] - 1).flatten();                            // (B (S-1))
        var loss = cross_entropy(logits, targets, reduction: nn.Reduction.Sum);
        return autograd.grad([loss], [leaf])[0].MoveToOuterDisposeScope();
    }
}
