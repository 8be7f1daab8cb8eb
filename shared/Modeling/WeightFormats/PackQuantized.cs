using System.Text.Json.Nodes;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// The layout <c>pack-quantized</c> of compressed-tensors, see <see cref="PackedWeights"/>: <c>x.weight</c> becomes
/// <c>x.weight_packed</c>, <c>x.weight_scale</c>, <c>x.weight_shape</c> and, for asymmetric codes, <c>x.weight_zero_point</c>,
/// packed along the output.
/// </summary>
public sealed class PackQuantized : IWeightFormat
{
    /// <summary>Its name.</summary>
    public const string FormatName = "pack-quantized";

    private const string Method = "compressed-tensors";

    private const string Mixed = "mixed-precision"; // each group then says its own format

    // Modules that keep their weights where nobody says which: the head and the routers.
    private static readonly string[] UsuallyKept = ["lm_head", "re:.*mlp.gate$"];

    /// <inheritdoc/>
    public string Name => FormatName;

    /// <inheritdoc/>
    public string Summary => "Codes of 2, 4 or 8 bits in 32-bit words, as compressed-tensors and the readers that use it have them.";

    /// <inheritdoc/>
    public IReadOnlyList<int> Bits => [2, 4, 8];

    /// <inheritdoc/>
    public int ColumnMultiple(WeightQuantization quantization) => 32 / quantization.Bits;

    /// <inheritdoc/>
    public bool Describes(JsonObject entry) =>
        Text(entry, "quant_method") == Method && (Text(entry, "format") == FormatName || Text(entry, "format") == Mixed && IsInEveryGroup(entry));

    /// <inheritdoc/>
    public WeightQuantization? Read(ConfigKeys entry)
    {
        var groups = entry.Child("config_groups")?.Children().Select(group => group.Child("weights")).OfType<ConfigKeys>().ToList() ?? [];
        if (groups.Count == 0)
        {
            entry.Problem("config_groups", "must hold a group with 'weights'");
            return null;
        }
        var kinds = groups.Select(ReadGroup).Distinct().ToList();
        if (kinds.GroupBy(kind => (kind.Bits, kind.GroupSize)).FirstOrDefault(alike => alike.Count() > 1) is { } alike)
            entry.Problem("config_groups", $"has {alike.Key.Bits} bits both with and without zero points at one group size; one model may have one of them");
        return kinds is [var only] ? only : kinds[0] with { Others = [.. kinds.Skip(1)] };
    }

    private WeightQuantization ReadGroup(ConfigKeys group)
    {
        var bits = group.Count("num_bits", 1, 16);
        if (bits > 0 && !Bits.Contains(bits))
            group.Problem("num_bits", $"is {bits}; supported: {string.Join(", ", Bits)}");
        if (group.Text("type", "int") is var type && type != "int")
            group.Problem("type", $"is '{type}'; supported: int");
        var size = group.Has("group_size") && group.Text("strategy", "group") == "group" ? group.Count("group_size", 1, 1 << 20) : -1;
        return new WeightQuantization(bits, size, group.Flag("symmetric", true));
    }

    /// <inheritdoc/>
    public JsonObject Write(WeightQuantization quantization) => new()
    {
        ["quant_method"] = Method,
        ["format"] = FormatName,
        ["quantization_status"] = "compressed",
        ["global_compression_ratio"] = null,
        ["kv_cache_scheme"] = null,
        ["ignore"] = new JsonArray([.. (quantization.KeptModules ?? UsuallyKept).Select(module => JsonValue.Create(module))]),
        ["config_groups"] = new JsonObject(quantization.Kinds.Select((kind, i) => KeyValuePair.Create($"group_{i}", (JsonNode?)Group(kind)))),
    };

    // Names go before the class in readers, so the kind that most modules have is that of the class.
    private static JsonObject Group(WeightQuantization kind) => new()
    {
        ["targets"] = new JsonArray([.. (kind.Modules ?? ["Linear"]).Select(module => JsonValue.Create(module))]),
        ["input_activations"] = null,
        ["output_activations"] = null,
        ["weights"] = new JsonObject
        {
            ["num_bits"] = kind.Bits,
            ["type"] = "int",
            ["symmetric"] = kind.Symmetric,
            ["strategy"] = kind.GroupSize < 0 ? "channel" : "group",
            ["group_size"] = kind.GroupSize < 0 ? null : kind.GroupSize,
            ["dynamic"] = false,
            // Readers need not know, and older ones refuse it where a row has one scale.
            ["actorder"] = kind is { ReordersColumns: true, GroupSize: > 0 } ? "weight" : null,
            ["observer"] = "minmax",
            ["observer_kwargs"] = new JsonObject(),
            ["block_structure"] = null,
        },
    };

    /// <inheritdoc/>
    public IReadOnlyList<PackedTensor> Layout(string weight, long rows, long columns, WeightQuantization quantization)
    {
        var groups = Groups(columns, quantization);
        return
        [
            new(PackedName(weight), [rows, PackedWeights.WordsPerRow(columns, quantization.Bits)], ScalarType.Int32),
            new(ScaleName(weight), [rows, groups], null),
            new(ShapeName(weight), [2], ScalarType.Int64),
            .. quantization.Symmetric ? []
                : new PackedTensor[] { new(ZeroPointName(weight), [PackedWeights.WordsPerRow(rows, quantization.Bits), groups], ScalarType.Int32) },
        ];
    }

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Pack(CodedMatrix codes, WeightQuantization quantization, ScalarType storedType)
    {
        var packed = new List<Tensor>
        {
            PackedWeights.Pack(codes.Codes.to(int8), quantization.Bits), // (out, in b / 32)
            codes.Scales.to(storedType),                                 // (out, groups)
            tensor(codes.Codes.shape, dtype: int64),                     // (2)
        };
        if (codes.ZeroPoints is { } zeroPoints)
            packed.Add(PackedWeights.Pack(zeroPoints.to(int8).transpose(0, 1).contiguous(), quantization.Bits).transpose(0, 1)); // (out b / 32, groups)
        return packed;
    }

    /// <inheritdoc/>
    public Tensor Unpack(string weight, Func<string, Tensor> read, WeightQuantization quantization)
    {
        var stored = read(ShapeName(weight)).to(int64).data<long>().ToArray();
        var (packed, scale) = (read(PackedName(weight)), read(ScaleName(weight)));
        var kinds = quantization.Kinds
            .Where(kind => stored[0] == packed.shape[0] && PackedWeights.WordsPerRow(stored[1], kind.Bits) == packed.shape[1]).ToList();
        if (kinds.Count == 0)
            throw new InvalidModelException(
                $"tensor '{ShapeName(weight)}' says [{stored[0]}, {stored[1]}], which does not fit the packed words [{packed.shape[0]}, {packed.shape[1]}].");
        var kind = kinds.Find(kind => Groups(stored[1], kind) == scale.shape[1]) ?? kinds[0];
        var zeroPoint = kind.Symmetric
            ? null
            : PackedWeights.Unpack(read(ZeroPointName(weight)).transpose(0, 1), stored[0], kind.Bits).transpose(0, 1);
        return PackedWeights.Dequantize(PackedWeights.Unpack(packed, stored[1], kind.Bits), scale, zeroPoint, kind.GroupSize);
    }

    private static long Groups(long columns, WeightQuantization quantization) =>
        quantization.GroupSize < 0 ? 1 : (columns + quantization.GroupSize - 1) / quantization.GroupSize;

    private static bool IsInEveryGroup(JsonObject entry) =>
        entry["config_groups"] is JsonObject groups && groups.All(group => group.Value is JsonObject own && Text(own, "format") == FormatName);

    private static string PackedName(string weight) => weight + "_packed";

    private static string ScaleName(string weight) => weight + "_scale";

    private static string ShapeName(string weight) => weight + "_shape";

    private static string ZeroPointName(string weight) => weight + "_zero_point";

    private static string? Text(JsonObject entry, string key) => entry[key] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
