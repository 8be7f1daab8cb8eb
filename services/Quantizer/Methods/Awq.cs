using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// AWQ (Lin et al. 2023, arXiv 2306.00978): channels with large inputs are made larger before rounding and their inputs smaller, by scales that are
/// folded into what makes the input; then the extremes of each group of weights are clipped where that loses less. See <see cref="AwqScales"/> and
/// <see cref="AwqClipping"/>. Where the paper runs the block again for every candidate, the output error comes from second moments of the inputs:
/// sum_t |(W - W^) x_t|^2 = tr((W - W^) (sum_t x_t x_t^T) (W - W^)^T). All experts of a layer read one norm, so they share their scales, and the
/// router's columns are scaled too.
/// </summary>
internal sealed class Awq : IFoldingMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "awq";

    /// <summary>Options of the method.</summary>
    [MethodOptions(typeof(QuantizeOptions), MethodName)]
    public sealed record Settings
    {
        /// <summary>How many exponents are tried.</summary>
        [Option("Exponents a that are tried for the scales mean|x|^a, evenly from 0 up to 1; more take longer.", Min = 1, Max = 1000)]
        public int Grid { get; init; } = 20;

        /// <summary>Whether the weights have a say in the scales.</summary>
        [Option("Whether scales are divided by how large the weights of a channel are within their groups, to the power 1 - a.")]
        public bool DuoScaling { get; init; } = true;

        /// <summary>Whether extremes are clipped.</summary>
        [Option("Whether the extremes of a group of weights are clipped where that loses less; queries and keys never are.")]
        public bool Clip { get; init; } = true;

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
    public string Summary => "Channels with large inputs are scaled up before rounding, and extremes clipped (AWQ, arXiv 2306.00978).";

    /// <inheritdoc/>
    public double Passes => 2 * new Settings().Grid;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context)
    {
        var settings = context.ReadOptions<Settings>();
        return settings is { Coverage: "all", WeightByGate: true }
            ? throw new UserInputException("'weight-by-gate' needs 'coverage: routed': a token has no combine weight at an expert that it is not routed to.")
            : new HessianRequest(settings.Coverage == "all", settings.WeightByGate);
    }

    /// <inheritdoc/>
    public FoundScales FindScales(FoldedInput input, QuantizationScheme scheme, StageContext context)
    {
        var settings = context.ReadOptions<Settings>();
        return AwqScales.Find(input, scheme, settings.Grid, settings.DuoScaling, settings.FallbackShare);
    }

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context) =>
        Quantize(matrix, scheme, context.ReadOptions<Settings>());

    /// <summary>Chooses the codes of one matrix whose scales are folded in already.</summary>
    public static QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, Settings settings)
    {
        if (matrix.Inputs is not { } inputs || inputs.Tokens < settings.FallbackShare * inputs.CalibrationTokens)
            return RoundToNearest.Quantize(matrix, scheme, $"{matrix.Inputs?.Tokens ?? 0} calibration tokens are too few");

        using var scope = NewDisposeScope();
        var (weight, hessian) = (matrix.Weight, inputs.Hessian);
        var grid = QuantizationGrid.Of(weight, scheme, matrix.StoredType);
        var codes = grid.Quantize(weight, scheme);
        if (settings.Clip && MayClip(matrix.Name))
            (codes, grid) = AwqClipping.Clip(weight, hessian, scheme, matrix.StoredType, codes, grid);
        var dequantized = grid.Dequantize(codes);
        var record = new MatrixRecord
        {
            Name = matrix.Name,
            Method = MethodName,
            Tokens = inputs.Tokens,
            Objective = GptqSolver.Objective(weight, dequantized, hessian),
            ObjectiveOfRtn = RtnObjective(matrix, scheme, hessian),
            RelativeError = RoundToNearest.RelativeError(weight, dequantized),
        };
        grid.Scales.MoveToOuterDisposeScope();
        grid.ZeroPoints?.MoveToOuterDisposeScope();
        return new QuantizedMatrix(codes.MoveToOuterDisposeScope(), grid, record);
    }

    // A product of queries and keys is no longer linear in either, so the error of one alone says little.
    private static bool MayClip(string name) =>
        !name.Contains(".self_attn.q", StringComparison.Ordinal) && !name.Contains(".self_attn.k", StringComparison.Ordinal);

    // Of the weights before scales were folded into their columns.
    private static double RtnObjective(MatrixToQuantize matrix, QuantizationScheme scheme, Tensor hessian)
    {
        using var scope = NewDisposeScope();
        var (weight, moments) = (matrix.Weight, hessian);
        if (matrix.ColumnScales is { } scales)
        {
            var wide = scales.to(hessian.dtype).to(hessian.device);
            (weight, moments) = (weight / wide.to(weight.dtype).unsqueeze(0), hessian * wide.unsqueeze(0) * wide.unsqueeze(1));
        }
        var grid = QuantizationGrid.Of(weight, scheme, matrix.StoredType);
        return GptqSolver.Objective(weight, grid.Dequantize(grid.Quantize(weight, scheme)), moments);
    }
}
