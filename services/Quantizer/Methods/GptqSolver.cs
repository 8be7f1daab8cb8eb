using Espalier.Quantizer.Grids;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// GPTQ (Frantar et al. 2022): codes Q that make tr((W - Q) H (W - Q)^T) small, one input column at a time.
/// <para>
/// H^-1 = R^T R with R upper triangular. For column i: q_i = round(w_i), e_i = (w_i - q_i) / R_ii, W_i: -= e_i R_i,i:.
/// Columns go in blocks; the columns behind a block are updated once per block. Then W - Q = E R and R H R^T = I, hence
/// sum_i |e_i|^2 = tr((W - Q) H (W - Q)^T) exactly, which the tests assert.
/// </para>
/// <para>
/// The scales of a group are found from the columns as they are when the group begins, or, with <c>act-order</c> (columns by
/// falling diagonal of H), from the original weights, so that groups stay contiguous on disk. Blocks end where groups end,
/// so a group never starts from columns that wait for an update.
/// </para>
/// </summary>
internal static class GptqSolver
{
    /// <summary>Columns of a block, when groups allow it.</summary>
    public const int BlockSize = 128;

    /// <summary>
    /// R with H^-1 = R^T R, upper triangular, or null when H is not positive definite. H = U U^T with U upper triangular is
    /// Cholesky from the last row up, and R = U^-1: one factorisation instead of two and an inverse.
    /// </summary>
    public static Tensor? InverseFactor(Tensor hessian)
    {
        using var scope = NewDisposeScope();
        var (lower, info) = linalg.cholesky_ex(hessian.flip(0, 1));
        if (info.item<int>() != 0)
            return null;
        var identity = eye(hessian.shape[0], dtype: hessian.dtype, device: hessian.device);
        var factor = linalg.solve_triangular(lower.flip(0, 1).contiguous(), identity, upper: true);
        return factor.isfinite().all().item<bool>() ? factor.MoveToOuterDisposeScope() : null;
    }

    /// <summary>Chooses codes column by column.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="factor">(in, in) R, in the weight's element type.</param>
    /// <param name="scheme">Bits, group size, symmetry.</param>
    /// <param name="storedType">Element type in which scales are stored.</param>
    /// <param name="fixedGrid">Scales found beforehand; null finds those of a group when it begins.</param>
    /// <param name="groupOf">Group of each column; null when columns are in their original order.</param>
    /// <returns>Codes in the order of the columns, the grid, and sum_i |e_i|^2.</returns>
    public static GptqSolution Solve(
        Tensor weight, Tensor factor, QuantizationScheme scheme, ScalarType storedType, QuantizationGrid? fixedGrid, int[]? groupOf)
    {
        using var scope = NewDisposeScope();
        var inputs = checked((int)weight.shape[1]);
        var columnsPerGroup = scheme.ColumnsPerGroup(inputs);
        var blockSize = BlockFor(columnsPerGroup, inputs);
        var diagonal = factor.diagonal().to(float64).cpu().data<double>().ToArray();
        var left = weight.clone(); // updated as columns are done
        var codes = empty_like(weight);
        var grids = new List<QuantizationGrid>();
        var loss = zeros([], dtype: float64, device: weight.device);
        QuantizationGrid? grid = null;
        for (var start = 0; start < inputs; start += blockSize)
        {
            using var blockScope = NewDisposeScope();
            var end = Math.Min(start + blockSize, inputs);
            var block = left[.., start..end].clone(); // (out, columns)
            var errors = zeros_like(block);
            for (var column = start; column < end; column++)
            {
                using var columnScope = NewDisposeScope();
                var i = column - start;
                if (fixedGrid is null && column % columnsPerGroup == 0)
                {
                    var group = columnsPerGroup <= blockSize ? block[.., i..(i + columnsPerGroup)] : left[.., column..(column + columnsPerGroup)];
                    grid = QuantizationGrid.Of(group, scheme with { GroupSize = QuantizationScheme.PerChannel }, storedType);
                    grids.Add(Keep(grid, scope));
                }
                var columnGrid = fixedGrid is null ? grid! : GroupOf(fixedGrid, groupOf is null ? column / columnsPerGroup : groupOf[column]);
                var value = block[.., i..(i + 1)]; // (out, 1)
                var code = columnGrid.Quantize(value, scheme);
                var error = (value - columnGrid.Dequantize(code)) / diagonal[column];
                codes[.., column..(column + 1)] = code;
                errors[.., i..(i + 1)] = error;
                if (i + 1 < end - start)
                    block[.., (i + 1)..(end - start)].addmm_(error, factor[column..(column + 1), (column + 1)..end], alpha: -1);
            }
            loss.add_(errors.to(float64).square().sum());
            if (end < inputs)
                left[.., end..inputs].addmm_(errors, factor[start..end, end..inputs], alpha: -1);
        }
        var result = fixedGrid ?? Concatenate(grids);
        result.Scales.MoveToOuterDisposeScope();
        result.ZeroPoints?.MoveToOuterDisposeScope();
        return new GptqSolution(codes.MoveToOuterDisposeScope(), result, loss.item<double>());
    }

    /// <summary>tr((W - W^) H (W - W^)^T).</summary>
    public static double Objective(Tensor weight, Tensor dequantized, Tensor hessian)
    {
        using var scope = NewDisposeScope();
        var difference = (weight - dequantized).to(hessian.dtype);
        return (difference.matmul(hessian) * difference).to(float64).sum().item<double>();
    }

    // Whole groups in a block, or whole blocks in a group.
    private static int BlockFor(int columnsPerGroup, int inputs)
    {
        if (columnsPerGroup <= BlockSize)
            return BlockSize / columnsPerGroup * columnsPerGroup;
        return Enumerable.Range(0, BlockSize).Select(i => BlockSize - i).First(size => columnsPerGroup % size == 0);
    }

    private static QuantizationGrid GroupOf(QuantizationGrid grid, int group) =>
        new(grid.Scales[.., group..(group + 1)], grid.ZeroPoints?[.., group..(group + 1)]);

    private static QuantizationGrid Concatenate(List<QuantizationGrid> grids) =>
        new(cat([.. grids.Select(g => g.Scales)], 1), grids[0].ZeroPoints is null ? null : cat([.. grids.Select(g => g.ZeroPoints!)], 1));

    private static QuantizationGrid Keep(QuantizationGrid grid, DisposeScope scope)
    {
        grid.Scales.MoveToOtherDisposeScope(scope);
        grid.ZeroPoints?.MoveToOtherDisposeScope(scope);
        return grid;
    }
}

/// <summary>What the solver found.</summary>
/// <param name="Codes">(out, in) whole numbers, in the order of the columns given.</param>
/// <param name="Grid">Scales and zero points.</param>
/// <param name="Loss">sum_i |e_i|^2.</param>
internal sealed record GptqSolution(Tensor Codes, QuantizationGrid Grid, double Loss);
