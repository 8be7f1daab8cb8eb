using Espalier.Contracts;
using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// Codes of several widths in one model, as many bits as a budget allows where they matter most. What a unit costs at a width is measured: the layer
/// runs with the unit rounded and all else whole, and the squared change of the stream behind it is divided by the stream's own square, over all
/// calibration tokens. Units are those that readers fuse, see <see cref="Mixing.MixedUnit"/>; the choice is <see cref="Mixing.BitAllocation"/>'s.
/// Codes are those of rounding to nearest.
/// </summary>
internal sealed class Mixed : IQuantizationMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "mixed";

    private const int MostBits = 8;

    /// <summary>Options of the method.</summary>
    [MethodOptions(typeof(QuantizeOptions), MethodName)]
    public sealed record Settings
    {
        /// <summary>Bytes that the model's tensors may take.</summary>
        [Option("Bytes that all tensors of the result may take together; 'bits' is the least that a matrix gets, and 8 the most.",
            Kind = OptionKind.Size, Min = 1)]
        public long? BudgetBytes { get; init; }
    }

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "More bits for the matrices whose rounding changes their layer most, as many as 'budget-bytes' allows.";

    /// <inheritdoc/>
    public double Passes => 0;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => null;

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context)
    {
        var quantized = RoundToNearest.Quantize(matrix, scheme, fallback: null);
        return quantized with { Record = quantized.Record with { Method = MethodName } };
    }

    /// <summary>The schemes that a matrix may have, the narrowest first.</summary>
    /// <exception cref="UserInputException">There is only one, or the format has one kind of codes for a model.</exception>
    public static IReadOnlyList<QuantizationScheme> Schemes(QuantizationScheme least, IWeightFormat format)
    {
        if (format.Name != PackQuantized.FormatName)
            throw new UserInputException($"'format' is {format.Name}, and only {PackQuantized.FormatName} has codes of several widths in one model.");
        return least.Bits < MostBits ? [.. format.Bits.Where(bits => bits >= least.Bits && bits <= MostBits).Order().Select(bits => least with { Bits = bits })]
            : throw new UserInputException(
                $"'bits' is {least.Bits}, which is the most that method '{MethodName}' gives: nothing is left to choose. Give 2 or 4.");
    }

    /// <summary>The budget, when the smallest result fits.</summary>
    /// <param name="settings">The method's options.</param>
    /// <param name="least">Bytes of the result with the fewest bits everywhere.</param>
    /// <exception cref="UserInputException">It is not given, or too small; says what would do.</exception>
    public static long Budget(Settings settings, long least) => settings.BudgetBytes is not { } budget
        ? throw new UserInputException($"Method '{MethodName}' needs 'budget-bytes': how many bytes the tensors of the result may take, {least} at least.")
        : budget >= least ? budget
        : throw new UserInputException(
            $"'budget-bytes' is {budget}, and with the fewest bits everywhere the tensors take {least}. Give that or more, or fewer 'bits'.");
}
