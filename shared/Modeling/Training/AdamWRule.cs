using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>The arithmetic of AdamW on flat pieces of float32, as tensor operations.</summary>
/// <remarks>
/// A Scalar that nothing refers to is freed by the next collection, even while native code reads it: the wrapper of a call keeps its
/// handle only. So each has a name here, and lives until it is disposed of; add_ of a number would make one more by itself.
/// </remarks>
internal static class AdamWRule
{
    /// <summary>m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2.</summary>
    public static void UpdateMoments(AdamWSettings settings, Tensor first, Tensor second, Tensor gradients)
    {
        using Scalar keptFirst = settings.Beta1, newFirst = 1 - settings.Beta1, keptSecond = settings.Beta2, newSecond = 1 - settings.Beta2;
        first.mul_(keptFirst).add_(gradients, newFirst);
        second.mul_(keptSecond).addcmul_(gradients, gradients, newSecond);
    }

    /// <summary>w -= lr d w for the first <paramref name="decayed"/>; w -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps).</summary>
    public static void UpdateWeights(
        AdamWSettings settings, Tensor weights, long decayed, Tensor first, Tensor second, Tensor scratch, double learningRate, long steps)
    {
        using Scalar one = 1, decay = 1 - learningRate * settings.WeightDecay, epsilon = settings.Epsilon;
        using Scalar bias = Math.Sqrt(1 - Math.Pow(settings.Beta2, steps)), rate = -learningRate / (1 - Math.Pow(settings.Beta1, steps));
        if (settings.WeightDecay > 0 && decayed > 0)
            weights.narrow(0, 0, decayed).mul_(decay);
        scratch.copy_(second).sqrt_().div_(bias).add_(epsilon, one);
        weights.addcdiv_(first, scratch, rate);
    }
}
