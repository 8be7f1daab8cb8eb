using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Grids;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// The scales of a group: s_j = mean|x_j|^a / (u_j^(1 - a) + 1e-4), where u_j is the mean over the rows of all readers of |w_j| as a share of the
/// largest in its group (duo scaling), or mean|x_j|^a alone; at least 1e-4, and divided by sqrt(max s min s). Of a = 0, 1/n, ..., (n - 1)/n and no
/// scales at all, that with the least squared error of the readers' outputs is taken, over all tokens that reached each reader.
/// </summary>
internal static class AwqScales
{
    private const double Least = 1e-4;

    /// <summary>Tries the exponents.</summary>
    /// <param name="input">The group.</param>
    /// <param name="scheme">Bits, group size, symmetry.</param>
    /// <param name="count">Exponents to try, n.</param>
    /// <param name="duo">Whether weights have a say.</param>
    /// <param name="leastShare">A reader that saw less than this share of the calibration tokens has no say.</param>
    public static FoundScales Find(FoldedInput input, QuantizationScheme scheme, int count, bool duo, double leastShare)
    {
        using var scope = NewDisposeScope();
        if (input.Magnitudes() is not ({ } mean, _))
            return FoundScales.None;
        var shares = duo ? Shares(input, scheme) : null;
        var candidates = Enumerable.Range(0, count)
            .Select(i => Candidate(input.Shared(mean), shares is null ? null : input.Shared(shares), (double)i / count)).ToList();

        var errors = new double[count + 1]; // that of no scales last
        var isMeasured = false;
        foreach (var reader in input.Group.Coded)
        {
            using var readerScope = NewDisposeScope();
            if (input.Moments(reader) is not { } moments || moments.Tokens < leastShare * moments.CalibrationTokens)
                continue;
            isMeasured = true;
            var weight = input.Read(reader).to(moments.Hessian.device);
            for (var i = 0; i <= count; i++)
            {
                var scales = i < count ? candidates[i].to(weight.device) : null;
                errors[i] += moments.Tokens / 2.0 * Error(weight, scales, moments.Hessian, scheme, input.StoredType);
            }
        }
        if (!isMeasured)
            return FoundScales.None;
        var best = Array.IndexOf(errors, errors.Min());
        return best == count
            ? new FoundScales(null, null, errors[count], errors[count])
            : new FoundScales(candidates[best].MoveToOuterDisposeScope(), (double)best / count, errors[best], errors[count]);
    }

    /// <summary>Scales (in) for one exponent.</summary>
    /// <param name="mean">mean|x_j| (in), float32.</param>
    /// <param name="shares">u_j (in), float32; null without duo scaling.</param>
    /// <param name="exponent">a.</param>
    public static Tensor Candidate(Tensor mean, Tensor? shares, double exponent)
    {
        using var scope = NewDisposeScope();
        var scales = mean.pow(exponent);
        if (shares is not null)
            scales = scales / (shares.pow(1 - exponent) + Least);
        scales = scales.clamp(min: Least);
        return (scales / (scales.max() * scales.min()).sqrt()).MoveToOuterDisposeScope();
    }

    // tr((W - Q(W s) / s) H (W - Q(W s) / s)^T)
    private static double Error(Tensor weight, Tensor? scales, Tensor hessian, QuantizationScheme scheme, ScalarType storedType)
    {
        using var scope = NewDisposeScope();
        var scaled = scales is null ? weight : weight * scales;
        var grid = QuantizationGrid.Of(scaled, scheme, storedType);
        var dequantized = grid.Dequantize(grid.Quantize(scaled, scheme));
        return GptqSolver.Objective(weight, scales is null ? dequantized : dequantized / scales, hessian);
    }

    private static Tensor Shares(FoldedInput input, QuantizationScheme scheme)
    {
        using var scope = NewDisposeScope();
        Tensor? sum = null;
        var rows = 0L;
        foreach (var reader in input.Group.Coded)
        {
            using var readerScope = NewDisposeScope();
            var magnitudes = input.Read(reader).cpu().abs();
            var groups = magnitudes.view(magnitudes.shape[0], scheme.Groups(magnitudes.shape[1]), -1);      // (out, groups, g)
            var shares = (groups / (groups.amax([2L], keepdim: true) + 1e-6)).view(magnitudes.shape).to(float64).sum([0L]); // (in)
            rows += magnitudes.shape[0];
            sum = (sum is null ? shares.alias() : sum + shares).MoveToOtherDisposeScope(scope);
        }
        return (sum! / rows).to(float32).MoveToOuterDisposeScope();
    }
}
