using System.Text.Json.Nodes;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// The layout of GPTQ tools (GPTQModel, AutoGPTQ, vLLM): a matrix (out, in) is stored the other way round. <c>x.qweight</c> (in b / 32, out) has the codes
/// u = q + 2^(b-1) of a column's inputs, lowest bits first; <c>x.qzeros</c> (groups, out b / 32) the zero points, packed along the output;
/// <c>x.scales</c> (groups, out) has the type of the other weights, and <c>x.g_idx</c> (in) says the group of each input, so that groups need not lie together.
/// Dequantized: (u - zero point) * scale. Version 1 stores zero points less one, version 2 as they are.
/// </summary>
/// <param name="version">What <c>checkpoint_format</c> calls it.</param>
/// <param name="zeroOffset">What is taken from zero points before they are stored.</param>
public abstract class GptqLayout(string version, int zeroOffset) : IWeightFormat
{
    private const string Method = "gptq", Weight = ".weight";

    /// <inheritdoc/>
    public string Name => version.Replace('_', '-');

    /// <inheritdoc/>
    public abstract string Summary { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> Bits => [4, 8];

    /// <inheritdoc/>
    public int ColumnMultiple(WeightQuantization quantization) => 32 / quantization.Bits;

    /// <inheritdoc/>
    public string? Refuse(WeightQuantization quantization) => quantization.Symmetric || zeroOffset == 0 ? null
        : "version 1 of the GPTQ layout cannot hold a zero point of 0. Use format gptq-v2, or leave out 'symmetric'.";

    /// <inheritdoc/>
    public bool Describes(JsonObject entry) => Text(entry, "quant_method") == Method && (Text(entry, "checkpoint_format") ?? Method) == version;

    /// <inheritdoc/>
    public WeightQuantization? Read(ConfigKeys entry)
    {
        var bits = entry.Count("bits", 1, 16);
        if (bits > 0 && !Bits.Contains(bits))
            entry.Problem("bits", $"is {bits}; supported: {string.Join(", ", Bits)}");
        var size = (int)entry.Number("group_size", 128, -1, 1 << 20);
        if (size == 0)
            entry.Problem("group_size", "is 0; expected -1 or at least 1");
        return new WeightQuantization(bits, size, entry.Flag("sym", true));
    }

    /// <inheritdoc/>
    public JsonObject Write(WeightQuantization quantization) => new()
    {
        ["quant_method"] = Method,
        ["checkpoint_format"] = version,
        ["bits"] = quantization.Bits,
        ["group_size"] = quantization.GroupSize,
        ["sym"] = quantization.Symmetric,
        ["desc_act"] = false, // columns may have been rounded in another order; they are stored in their own
        ["lm_head"] = false,
        ["pack_dtype"] = "int32",
        // Both are completed when the checkpoint is written: the one is what transformers reads, the other what GPTQModel and vLLM do.
        ["modules_to_not_convert"] = new JsonArray([.. (quantization.KeptModules ?? []).Select(module => JsonValue.Create(module))]),
        ["dynamic"] = new JsonObject(),
    };

    /// <inheritdoc/>
    public IReadOnlyList<PackedTensor> Layout(string weight, long rows, long columns, WeightQuantization quantization)
    {
        var (module, groups) = (ModuleOf(weight), GroupsOf(columns, quantization));
        return
        [
            new($"{module}.qweight", [PackedWeights.WordsPerRow(columns, quantization.Bits), rows], ScalarType.Int32),
            new($"{module}.qzeros", [groups, PackedWeights.WordsPerRow(rows, quantization.Bits)], ScalarType.Int32),
            new($"{module}.scales", [groups, rows], null),
            new($"{module}.g_idx", [columns], ScalarType.Int32),
        ];
    }

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Pack(CodedMatrix codes, WeightQuantization quantization, ScalarType storedType)
    {
        var columns = codes.Codes.shape[1];
        var (size, half) = (quantization.GroupSize < 0 ? columns : quantization.GroupSize, 1 << (quantization.Bits - 1));
        // Codes are packed with 2^(b-1) added; zero points of version 1 are one less.
        var zeros = (codes.ZeroPoints ?? zeros_like(codes.Scales)) - zeroOffset;
        if (zeros.min().item<float>() < -half)
            throw new InvalidModelException($"a zero point of 0 cannot be stored in format {Name}; use gptq-v2.");
        return
        [
            PackedWeights.Pack(codes.Codes.to(int8), quantization.Bits).t().contiguous(),
            PackedWeights.Pack(zeros.to(int8).t().contiguous(), quantization.Bits),
            codes.Scales.to(storedType).t().contiguous(),
            arange(columns, dtype: int64).div(size, RoundingMode.floor).to(int32),
        ];
    }

    /// <inheritdoc/>
    public Tensor Unpack(string weight, Func<string, Tensor> read, WeightQuantization quantization)
    {
        using var scope = NewDisposeScope();
        var module = ModuleOf(weight);
        var (packed, scales, groupOf) = (read($"{module}.qweight"), read($"{module}.scales"), read($"{module}.g_idx").to(int64));
        var (rows, columns) = (packed.shape[1], groupOf.shape[0]);
        if (groupOf.min().item<long>() < 0 || groupOf.max().item<long>() >= scales.shape[0])
            throw new InvalidModelException($"tensor '{module}.g_idx' names a group that '{module}.scales' does not have.");
        var codes = PackedWeights.Unpack(packed.t().contiguous(), columns, quantization.Bits).to(scales.dtype);              // (out, in)
        var zeros = PackedWeights.Unpack(read($"{module}.qzeros"), rows, quantization.Bits).to(scales.dtype) + zeroOffset;     // (groups, out)
        return ((codes - zeros.index_select(0, groupOf).t()) * scales.index_select(0, groupOf).t()).MoveToOuterDisposeScope();
    }

    private static string ModuleOf(string weight) => weight.EndsWith(Weight, StringComparison.Ordinal) ? weight[..^Weight.Length] : weight;

    private static long GroupsOf(long columns, WeightQuantization quantization) =>
        quantization.GroupSize < 0 ? 1 : (columns + quantization.GroupSize - 1) / quantization.GroupSize;

    private static string? Text(JsonObject entry, string key) => entry[key] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}

/// <summary>Version 1, which every reader knows.</summary>
public sealed class GptqFirst() : GptqLayout("gptq", zeroOffset: 1)
{
    /// <inheritdoc/>
    public override string Summary => "The layout of GPTQ tools, version 1, for codes without zero points: what most readers of GPTQ models know.";
}

/// <summary>Version 2.</summary>
public sealed class GptqSecond() : GptqLayout("gptq_v2", zeroOffset: 0)
{
    /// <inheritdoc/>
    public override string Summary => "The layout of GPTQ tools, version 2, which holds every zero point; GPTQModel and vLLM read it.";
}
