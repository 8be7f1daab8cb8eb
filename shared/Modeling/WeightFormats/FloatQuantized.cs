using System.Text.Json.Nodes;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// The layout <c>float-quantized</c> of compressed-tensors: <c>x.weight</c> holds numbers of eight bits, see <see cref="Float8"/>, and
/// <c>x.weight_scale</c> what they are multiplied by, one scale per row or one for the matrix.
/// </summary>
public sealed class FloatQuantized : IWeightFormat
{
    /// <summary>Its name.</summary>
    public const string FormatName = "float-quantized";

    private static readonly EightBitEntry Entry = new(FormatName, "float");

    /// <inheritdoc/>
    public string Name => FormatName;

    /// <inheritdoc/>
    public string Summary => "Floating-point numbers of 8 bits (E4M3) with a scale per output channel or per matrix, as compressed-tensors has them.";

    /// <inheritdoc/>
    public IReadOnlyList<int> Bits => [8];

    /// <inheritdoc/>
    public bool IsFloatingPoint => true;

    /// <inheritdoc/>
    public string? Note => EightBitEntry.Note;

    /// <inheritdoc/>
    public string? Refuse(WeightQuantization quantization) =>
        !quantization.Symmetric ? "its numbers are signed and need no zero points; leave out 'symmetric'."
        : quantization.GroupSize > 0 ? "it has one scale per output channel (group-size -1) or per matrix (group-size 0)."
        : null;

    /// <inheritdoc/>
    public bool Describes(JsonObject entry) => Entry.Describes(entry);

    /// <inheritdoc/>
    public WeightQuantization? Read(ConfigKeys entry) => Entry.Read(entry, ["channel", "tensor"]);

    /// <inheritdoc/>
    public JsonObject Write(WeightQuantization quantization) => Entry.Write(quantization);

    /// <inheritdoc/>
    public IReadOnlyList<PackedTensor> Layout(string weight, long rows, long columns, WeightQuantization quantization) =>
    [
        new(weight, [rows, columns], ScalarType.Byte) { StoredAs = Float8.TypeName },
        new(weight + "_scale", quantization.GroupSize == WeightQuantization.PerTensor ? [1] : [rows, 1], null),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Pack(CodedMatrix codes, WeightQuantization quantization, ScalarType storedType) =>
    [
        Float8.Encode(codes.Codes), // (out, in)
        codes.Scales.to(storedType).view(quantization.GroupSize == WeightQuantization.PerTensor ? [1] : [codes.Codes.shape[0], 1]),
    ];

    /// <inheritdoc/>
    public Tensor Unpack(string weight, Func<string, Tensor> read, WeightQuantization quantization)
    {
        using var scope = NewDisposeScope();
        var scale = read(weight + "_scale");
        return (Float8.Decode(read(weight)).to(scale.dtype) * scale).MoveToOuterDisposeScope();
    }
}
