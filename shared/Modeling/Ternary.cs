using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// Ternary weights: scale = mean|W|, W_t = clip(round(W / (scale + 1e-5)), -1, 1), used as scale W_t (BitNet b1.58,
/// arXiv 2402.17764). Gradients go straight through to the latent W.
/// </summary>
public static class Ternary
{
    /// <summary>What is added to the scale that weights are divided by.</summary>
    public const double Epsilon = 1e-5;

    /// <summary>The weights as they are used; one scale for each matrix in the last two dimensions.</summary>
    public static Tensor Quantize(Tensor weights)
    {
        using var scope = NewDisposeScope();
        var latent = weights.detach();
        var scale = latent.abs().mean([-2, -1], keepdim: true);
        var used = (latent / (scale + Epsilon)).round().clamp(-1, 1) * scale;
        return (weights.requires_grad ? weights + (used - latent) : used).MoveToOuterDisposeScope();
    }

    /// <summary>The same of stacked gate and up (E, 2F, H), which are two matrices with a scale each.</summary>
    public static Tensor QuantizeGateUp(Tensor weights)
    {
        using var scope = NewDisposeScope();
        var (experts, rows, columns) = (weights.shape[0], weights.shape[1], weights.shape[2]);
        return Quantize(weights.view(experts, 2, rows / 2, columns)).view(experts, rows, columns).MoveToOuterDisposeScope();
    }
}
