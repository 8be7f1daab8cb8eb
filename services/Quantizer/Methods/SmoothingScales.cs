using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// s_j = max|x_j|^a / max|w_j|^(1 - a) for each input channel, at least 1e-5: what makes channels of activations and of weights equally wide when a is
/// a half, so that both can be rounded with one scale per token and per row. A channel that is never used, or has no weights, is left as it is.
/// </summary>
internal static class SmoothingScales
{
    private const double Least = 1e-5;

    /// <summary>The scales (in), float32.</summary>
    /// <param name="inputs">max|x_j| (in).</param>
    /// <param name="weights">max|w_j| over the rows of all readers (in).</param>
    /// <param name="exponent">a: how much of the width of activations goes over to the weights.</param>
    public static Tensor Of(Tensor inputs, Tensor weights, double exponent)
    {
        using var scope = NewDisposeScope();
        var scales = (inputs.pow(exponent) / weights.pow(1 - exponent)).clamp(min: Least);
        return where((inputs > 0).logical_and(weights > 0), scales, ones_like(scales)).MoveToOuterDisposeScope();
    }

    /// <summary>max|w_j| over the rows of several matrices (in), float32 on the CPU, read one at a time.</summary>
    public static Tensor WeightPeaks(IEnumerable<string> names, Func<string, Tensor> read)
    {
        using var scope = NewDisposeScope();
        Tensor? peaks = null;
        foreach (var name in names)
        {
            using var readScope = NewDisposeScope();
            var own = read(name).cpu().abs().amax([0L]);
            peaks = (peaks is null ? own.alias() : maximum(peaks, own)).MoveToOtherDisposeScope(scope);
        }
        return peaks!.MoveToOuterDisposeScope();
    }
}
