using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// The layout <c>int-quantized</c> of compressed-tensors: <c>x.weight</c> holds codes of eight bits as they are, and <c>x.weight_scale</c> one scale
/// per row.
/// </summary>
public sealed class IntQuantized : IWeightFormat
{
    /// <summary>Its name.</summary>
    public const string FormatName = "int-quantized";

    private static readonly EightBitEntry Entry = new(FormatName, "int");

    /// <inheritdoc/>
    public string Name => FormatName;

    /// <inheritdoc/>
    public string Summary => "Codes of 8 bits, not packed, with a scale per output channel, as compressed-tensors has them for products in int8.";

    /// <inheritdoc/>
    public IReadOnlyList<int> Bits => [8];

    /// <inheritdoc/>
    public string? Note => EightBitEntry.Note;

    /// <inheritdoc/>
    public string? Refuse(WeightQuantization quantization) =>
        !quantization.Symmetric ? "products in int8 need codes without zero points; leave out 'symmetric'."
        : quantization.GroupSize != -1 ? "products in int8 need one scale per output channel: give group-size -1."
        : null;

    /// <inheritdoc/>
    public bool Describes(JsonObject entry) => Entry.Describes(entry);

    /// <inheritdoc/>
    public WeightQuantization? Read(ConfigKeys entry) => Entry.Read(entry, ["channel"]);

    /// <inheritdoc/>
    public JsonObject Write(WeightQuantization quantization) => Entry.Write(quantization);

    /// <inheritdoc/>
    public IReadOnlyList<PackedTensor> Layout(string weight, long rows, long columns, WeightQuantization quantization) =>
        [new(weight, [rows, columns], ScalarType.Int8), new(weight + "_scale", [rows, 1], null)];

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Pack(CodedMatrix codes, WeightQuantization quantization, ScalarType storedType) =>
        [codes.Codes.to(int8), codes.Scales.to(storedType)];

    /// <inheritdoc/>
    public Tensor Unpack(string weight, Func<string, Tensor> read, WeightQuantization quantization)
    {
        using var scope = NewDisposeScope();
        var scale = read(weight + "_scale");
        return (read(weight).to(scale.dtype) * scale).MoveToOuterDisposeScope();
    }
}
