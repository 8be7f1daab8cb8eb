using Espalier.Quantizer.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Folding;

/// <summary>What a method knows of a group when it chooses its scales.</summary>
/// <param name="group">The group.</param>
/// <param name="read">Reads a weight (out, in) in float32, into the caller's dispose scope.</param>
/// <param name="collector">What calibration saw of the layer.</param>
/// <param name="storedType">Element type in which scales are stored.</param>
internal sealed class FoldedInput(FoldGroup group, Func<string, Tensor> read, HessianCollector collector, ScalarType storedType)
{
    /// <summary>The group.</summary>
    public FoldGroup Group => group;

    /// <summary>Element type in which scales are stored.</summary>
    public ScalarType StoredType => storedType;

    /// <summary>A reader's weight (out, in), float32.</summary>
    public Tensor Read(string name) => read(name);

    /// <summary>Second moments of a reader's own input; null when no token reached it.</summary>
    public InputMoments? Moments(string name) => collector.Find(name);

    /// <summary>mean |x_j| and max |x_j| over the group's input (in), float32 on the CPU; null when nothing was seen.</summary>
    public (Tensor Mean, Tensor Peak)? Magnitudes() => collector.FindMagnitudes(group.Coded[0]);

    /// <summary>max |x_j| (in) over the tokens that reach one reader, float32 on the CPU; null when none does.</summary>
    public Tensor? RoutedPeaks(string reader) => collector.FindRoutedPeaks(reader);

    /// <summary>Values of channels (in), equal for those that one row makes: their mean.</summary>
    public Tensor Shared(Tensor channels)
    {
        if (group.Repeats == 1)
            return channels.alias();
        using var scope = NewDisposeScope();
        var heads = channels.view(-1, group.Repeats, group.HeadSize); // (heads of values, repeats, D)
        return heads.mean([1L], keepdim: true).expand(heads.shape).reshape(-1).MoveToOuterDisposeScope();
    }
}

/// <summary>Scales of a group and what they gain.</summary>
/// <param name="Scales">(in), in the caller's dispose scope; null leaves the group as it is.</param>
/// <param name="Exponent">The exponent that was chosen.</param>
/// <param name="Error">Squared error of the readers' outputs, all calibration tokens together, with the scales.</param>
/// <param name="ErrorWithout">The same without.</param>
internal sealed record FoundScales(Tensor? Scales, double? Exponent, double? Error, double? ErrorWithout)
{
    /// <summary>The group stays as it is, and nothing is known of it.</summary>
    public static readonly FoundScales None = new(null, null, null, null);
}

/// <summary>What the report says about a group.</summary>
/// <param name="Maker">Name of the weight that was divided by the scales.</param>
/// <param name="Exponent">The exponent that was chosen; null when the group stayed as it was.</param>
/// <param name="Error">Squared error of the readers' outputs, all calibration tokens together, with the scales.</param>
/// <param name="ErrorWithout">The same without.</param>
public sealed record FoldRecord(string Maker, double? Exponent, double? Error, double? ErrorWithout);
