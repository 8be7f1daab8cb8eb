using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// GPTQ (Frantar et al. 2022) on the experts of an MoE model: H of an expert comes from the tokens routed to it, so an expert
/// that saw too few is rounded to nearest instead, and the report says so. H is damped by a share of its mean diagonal, ten
/// times more each time that its factorisation fails. See <see cref="GptqSolver"/> for the formula.
/// </summary>
internal sealed class Gptq : IQuantizationMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "gptq";

    private const double MostDamp = 1;

    /// <summary>Options of the method.</summary>
    [MethodOptions(typeof(QuantizeOptions), MethodName)]
    public sealed record Settings
    {
        /// <summary>Order of the columns.</summary>
        [Option("Whether columns with the largest inputs are rounded first; groups stay as they are on disk.")]
        public bool ActOrder { get; init; }

        /// <summary>The damping that is tried first.</summary>
        [Option("Added to the diagonal of the Hessian, as a share of its mean.", Min = 0, Max = 1)]
        public double Damp { get; init; } = 0.01;

        /// <summary>Tokens that count.</summary>
        [Option("Which calibration tokens an expert learns from: those routed to it, or all.", Choices = ["routed", "all"])]
        public string Coverage { get; init; } = "routed";

        /// <summary>Whether tokens are weighted by their gates.</summary>
        [Option("Whether a routed token counts with the square of its combine weight.")]
        public bool WeightByGate { get; init; }

        /// <summary>Share of the calibration tokens that an expert must have seen.</summary>
        [Option("An expert that saw less than this share of the calibration tokens is rounded to nearest.", Min = 0, Max = 1)]
        public double FallbackShare { get; init; } = 0.005;
    }

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "Column by column, each error made up for by the columns after it (GPTQ, arXiv 2210.17323).";

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context)
    {
        var settings = context.ReadOptions<Settings>();
        return settings is { Coverage: "all", WeightByGate: true }
            ? throw new UserInputException("'weight-by-gate' needs 'coverage: routed': a token has no combine weight at an expert that it is not routed to.")
            : new HessianRequest(settings.Coverage == "all", settings.WeightByGate);
    }

    /// <inheritdoc/>
    public bool ReordersColumns(StageContext context) => context.ReadOptions<Settings>().ActOrder;

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context) =>
        Quantize(matrix, scheme, context.ReadOptions<Settings>());

    /// <summary>Chooses the codes of one matrix.</summary>
    public static QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, Settings settings)
    {
        if (matrix.Inputs is not { } inputs || inputs.Tokens < settings.FallbackShare * inputs.CalibrationTokens)
            return RoundToNearest.Quantize(matrix, scheme, $"{matrix.Inputs?.Tokens ?? 0} calibration tokens are too few");

        using var scope = NewDisposeScope();
        var hessian = inputs.Hessian.clone();
        var weight = matrix.Weight.clone();
        var diagonal = hessian.diagonal(); // a view
        var dead = diagonal == 0;
        diagonal.masked_fill_(dead, 1);
        weight.masked_fill_(dead.unsqueeze(0), 0);
        var order = settings.ActOrder ? diagonal.argsort(0, descending: true) : null;

        var damp = 0.0;
        Tensor? factor = null;
        for (var share = settings.Damp; factor is null && share <= MostDamp; share = share == 0 ? 0.01 : share * 10)
        {
            var damped = hessian.clone();
            damped.diagonal().add_(hessian.diagonal().mean() * share);
            factor = GptqSolver.InverseFactor(order is null ? damped : damped.index_select(0, order).index_select(1, order));
            (damp, hessian) = factor is null ? (damp, hessian) : (share, damped);
        }
        if (factor is null)
            return Adopt(RoundToNearest.Quantize(matrix, scheme, "the Hessian has no Cholesky factor at any damping up to 1"), scope);

        var solution = order is null
            ? GptqSolver.Solve(weight, factor.to(weight.dtype), scheme, matrix.StoredType, fixedGrid: null, groupOf: null)
            : SolveInOrder(weight, factor.to(weight.dtype), order, scheme, matrix.StoredType);
        var dequantized = solution.Grid.Dequantize(solution.Codes);
        var record = new MatrixRecord
        {
            Name = matrix.Name,
            Method = MethodName,
            Tokens = inputs.Tokens,
            Damp = damp,
            Objective = GptqSolver.Objective(weight, dequantized, hessian),
            ObjectiveOfRtn = RtnObjective(weight, scheme, matrix.StoredType, hessian),
            RelativeError = RoundToNearest.RelativeError(matrix.Weight, dequantized),
        };
        return Adopt(new QuantizedMatrix(solution.Codes, solution.Grid, record), scope);
    }

    // Static groups: scales from the original weights, columns visited in the given order, codes put back in place.
    private static GptqSolution SolveInOrder(Tensor weight, Tensor factor, Tensor order, QuantizationScheme scheme, ScalarType storedType)
    {
        var columnsPerGroup = scheme.ColumnsPerGroup(weight.shape[1]);
        var groupOf = order.cpu().data<long>().Select(column => (int)column / columnsPerGroup).ToArray();
        var grid = QuantizationGrid.Of(weight, scheme, storedType);
        var solution = GptqSolver.Solve(weight.index_select(1, order), factor, scheme, storedType, grid, groupOf);
        return solution with { Codes = solution.Codes.index_select(1, order.argsort()) };
    }

    private static double RtnObjective(Tensor weight, QuantizationScheme scheme, ScalarType storedType, Tensor hessian)
    {
        using var scope = NewDisposeScope();
        var grid = QuantizationGrid.Of(weight, scheme, storedType);
        return GptqSolver.Objective(weight, grid.Dequantize(grid.Quantize(weight, scheme)), hessian);
    }

    private static QuantizedMatrix Adopt(QuantizedMatrix matrix, DisposeScope scope)
    {
        scope.MoveToOuter(matrix.Codes);
        scope.MoveToOuter(matrix.Grid.Scales);
        if (matrix.Grid.ZeroPoints is { } zeroPoints)
            scope.MoveToOuter(zeroPoints);
        return matrix;
    }
}
