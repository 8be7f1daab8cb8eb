using Espalier.Quantizer.Grids;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// Clipping of AWQ: the extremes of each row's group are shrunk to 1, 0.95, ..., 0.55 of what they are, and that with the least error of the group's
/// own share of the output is kept, d H_gg d^T with the group's block of H. A row keeps its clipped groups only when its whole error falls, since
/// groups of one row make up for each other.
/// </summary>
internal static class AwqClipping
{
    private const int Steps = 10;
    private const double Step = 0.05;

    /// <summary>Codes and grid, clipped where that loses less.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="hessian">(in, in).</param>
    /// <param name="scheme">Bits, group size, symmetry.</param>
    /// <param name="storedType">Element type in which scales are stored.</param>
    /// <param name="codes">(out, in) without clipping.</param>
    /// <param name="grid">Its grid.</param>
    public static (Tensor Codes, QuantizationGrid Grid) Clip(
        Tensor weight, Tensor hessian, QuantizationScheme scheme, ScalarType storedType, Tensor codes, QuantizationGrid grid)
    {
        using var scope = NewDisposeScope();
        var blocks = Blocks(hessian, scheme.Groups(weight.shape[1]));                 // (groups, g, g)
        var best = GroupErrors(weight, grid.Dequantize(codes), blocks);               // (groups, out)
        var ratios = ones_like(best);
        for (var step = 1; step < Steps; step++)
        {
            using var stepScope = NewDisposeScope();
            var ratio = 1 - step * Step;
            var shrunk = QuantizationGrid.Of(Shrink(weight, full_like(best, ratio), scheme), scheme, storedType);
            var errors = GroupErrors(weight, shrunk.Dequantize(shrunk.Quantize(weight, scheme)), blocks);
            var isLess = errors < best;
            ratios.masked_fill_(isLess, ratio);
            best.copy_(minimum(best, errors));
        }
        var clippedGrid = QuantizationGrid.Of(Shrink(weight, ratios, scheme), scheme, storedType);
        var clipped = clippedGrid.Quantize(weight, scheme);
        var falls = RowErrors(weight, clippedGrid.Dequantize(clipped), hessian) < RowErrors(weight, grid.Dequantize(codes), hessian); // (out)
        var (rows, zeroPoints) = (falls.unsqueeze(1), grid.ZeroPoints);
        var chosen = new QuantizationGrid(
            where(rows, clippedGrid.Scales, grid.Scales).MoveToOuterDisposeScope(),
            zeroPoints is null ? null : where(rows, clippedGrid.ZeroPoints!, zeroPoints).MoveToOuterDisposeScope());
        return (where(rows, clipped, codes).MoveToOuterDisposeScope(), chosen);
    }

    // Weights no farther out than a share (groups, out) of their group's extremes.
    private static Tensor Shrink(Tensor weight, Tensor ratios, QuantizationScheme scheme)
    {
        using var scope = NewDisposeScope();
        var groups = weight.view(weight.shape[0], ratios.shape[0], -1); // (out, groups, g)
        var share = ratios.transpose(0, 1).unsqueeze(2).to(weight.dtype);
        var (low, high) = scheme.Symmetric
            ? (-groups.abs().amax([2L], keepdim: true), groups.abs().amax([2L], keepdim: true))
            : (groups.amin([2L], keepdim: true).clamp(max: 0), groups.amax([2L], keepdim: true).clamp(min: 0));
        return groups.maximum(low * share).minimum(high * share).view(weight.shape).MoveToOuterDisposeScope();
    }

    private static Tensor Blocks(Tensor hessian, int groups)
    {
        using var scope = NewDisposeScope();
        var size = hessian.shape[0] / groups;
        return stack(Enumerable.Range(0, groups).Select(g => hessian.narrow(0, g * size, size).narrow(1, g * size, size))).MoveToOuterDisposeScope();
    }

    private static Tensor GroupErrors(Tensor weight, Tensor dequantized, Tensor blocks)
    {
        using var scope = NewDisposeScope();
        var difference = (weight - dequantized).to(blocks.dtype).view(weight.shape[0], blocks.shape[0], -1).transpose(0, 1); // (groups, out, g)
        return (difference.matmul(blocks) * difference).sum(-1).MoveToOuterDisposeScope();
    }

    private static Tensor RowErrors(Tensor weight, Tensor dequantized, Tensor hessian)
    {
        using var scope = NewDisposeScope();
        var difference = (weight - dequantized).to(hessian.dtype);
        return (difference.matmul(hessian) * difference).sum(-1).MoveToOuterDisposeScope();
    }
}
