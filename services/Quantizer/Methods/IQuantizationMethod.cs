using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using Espalier.Stages.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>A way to choose codes. Methods are found by scanning this assembly; adding one is adding a file.</summary>
internal interface IQuantizationMethod : IStageMethod
{
    /// <summary>What must be measured on calibration text, or null when the weights are enough.</summary>
    HessianRequest? Measure(StageContext context);

    /// <summary>The numbers that the method gives when it leaves no choice; null when the options choose.</summary>
    OwnNumbers? Own => null;

    /// <summary>The name under which the way from extremes to scales is recorded.</summary>
    string Convention(QuantizationScheme scheme) => QuantizationGrid.Convention(scheme);

    /// <summary>Whether calibration text is needed.</summary>
    bool NeedsText => true;

    /// <summary>Whether second moments of a matrix's input are needed when its codes are chosen.</summary>
    bool NeedsMoments => true;

    /// <summary>Whether its codes are what ternary experts use, so that a model of these is stored as it computes.</summary>
    bool MakesTernary => false;

    /// <summary>Passes over a matrix, rows x columns^2 products each, that choosing its codes takes; for estimates.</summary>
    double Passes => 1;

    /// <summary>Whether columns are visited in another order than they are stored in, which readers are told.</summary>
    bool ReordersColumns(StageContext context) => false;

    /// <summary>Chooses the codes of one matrix. Called under <c>no_grad</c>; returned tensors belong to the caller's dispose scope.</summary>
    QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context);
}

/// <summary>One matrix and what calibration saw of its input.</summary>
/// <param name="Name">Name of its weight on disk.</param>
/// <param name="Weight">(out, in) float32.</param>
/// <param name="StoredType">Element type of the stored weight, in which scales are stored too.</param>
/// <param name="Inputs">Second moments of its input, or null when nothing was measured.</param>
internal sealed record MatrixToQuantize(string Name, Tensor Weight, ScalarType StoredType, InputMoments? Inputs)
{
    /// <summary>Scales (in), float32, that its columns were multiplied by, as its inputs were divided; null when they were not.</summary>
    public Tensor? ColumnScales { get; init; }
}

/// <summary>Codes of a matrix with their grid, and how they came about.</summary>
/// <param name="Codes">(out, in) whole numbers, or numbers of a floating-point format.</param>
/// <param name="Grid">Scales and zero points.</param>
/// <param name="Record">The line of the report.</param>
internal sealed record QuantizedMatrix(Tensor Codes, QuantizationGrid Grid, MatrixRecord Record);

/// <summary>What the report says about one matrix.</summary>
public sealed record MatrixRecord
{
    /// <summary>Name of the weight.</summary>
    public required string Name { get; init; }

    /// <summary>Method that chose the codes; differs from the one asked for when <see cref="Fallback"/> says why.</summary>
    public required string Method { get; init; }

    /// <summary>Why another method was used, or null.</summary>
    public string? Fallback { get; init; }

    /// <summary>|W - W^| / |W|, Frobenius norms.</summary>
    public double RelativeError { get; init; }

    /// <summary>Calibration tokens that reached the matrix.</summary>
    public long? Tokens { get; init; }

    /// <summary>Added to the diagonal of H, as a share of its mean.</summary>
    public double? Damp { get; init; }

    /// <summary>Output error tr((W - W^) H (W - W^)^T) with the damped H.</summary>
    public double? Objective { get; init; }

    /// <summary>The same for rounding to nearest.</summary>
    public double? ObjectiveOfRtn { get; init; }
}
