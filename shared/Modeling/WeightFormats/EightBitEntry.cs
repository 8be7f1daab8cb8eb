using System.Text.Json.Nodes;

namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// <c>quantization_config</c> of compressed-tensors for weights of eight bits that lie unpacked beside their scales, with activations that readers
/// round to eight bits too, one scale per token.
/// </summary>
/// <param name="format">Its name: <c>float-quantized</c>, <c>int-quantized</c>.</param>
/// <param name="type">Type of the numbers: <c>float</c>, <c>int</c>.</param>
internal sealed class EightBitEntry(string format, string type)
{
    private const string Method = "compressed-tensors";
    private static readonly string[] UsuallyKept = ["lm_head", "re:.*mlp.gate$"];

    /// <summary>What users of such a model have to know.</summary>
    public const string Note = "Readers that know the format round activations to eight bits too, with one scale per token. This platform computes with "
        + "activations as they are, so its evaluations show what rounding the weights costs and not that.";

    /// <summary>Whether an entry is of the format.</summary>
    public bool Describes(JsonObject entry) => Text(entry, "quant_method") == Method && Text(entry, "format") == format;

    /// <summary>Reads an entry; a group size of -1 is a scale per row, of 0 one for the matrix.</summary>
    /// <param name="entry">The object.</param>
    /// <param name="strategies">Where there may be scales: <c>channel</c>, <c>tensor</c>.</param>
    public WeightQuantization? Read(ConfigKeys entry, IReadOnlyList<string> strategies)
    {
        var groups = entry.Child("config_groups")?.Children() ?? [];
        var weights = groups.Select(group => group.Child("weights")).OfType<ConfigKeys>().ToList();
        if (weights.Count == 0)
        {
            entry.Problem("config_groups", "must hold a group with 'weights'");
            return null;
        }
        var rounded = groups.Where(group => group.Has("input_activations")).Select(group => group.Child("input_activations"));
        foreach (var activations in rounded.OfType<ConfigKeys>())
        {
            if (!activations.Flag("dynamic", false))
                activations.Problem("dynamic", "is false, and scales of activations that are stored are not supported; supported: true");
        }
        var kinds = weights.Select(group => ReadGroup(group, strategies)).Distinct().ToList();
        if (kinds.Count > 1)
            entry.Problem("config_groups", "has groups with scales of several kinds; one model may have one");
        return kinds[0];
    }

    /// <summary>Writes an entry.</summary>
    public JsonObject Write(WeightQuantization quantization) => new()
    {
        ["quant_method"] = Method,
        ["format"] = format,
        ["quantization_status"] = "compressed",
        ["global_compression_ratio"] = null,
        ["kv_cache_scheme"] = null,
        ["ignore"] = new JsonArray([.. (quantization.KeptModules ?? UsuallyKept).Select(module => JsonValue.Create(module))]),
        ["config_groups"] = new JsonObject
        {
            ["group_0"] = new JsonObject
            {
                ["targets"] = new JsonArray("Linear"),
                ["input_activations"] = Numbers("token", isDynamic: true),
                ["output_activations"] = null,
                ["weights"] = Numbers(quantization.GroupSize == WeightQuantization.PerTensor ? "tensor" : "channel", isDynamic: false),
            },
        },
    };

    private JsonObject Numbers(string strategy, bool isDynamic) => new()
    {
        ["num_bits"] = 8,
        ["type"] = type,
        ["symmetric"] = true,
        ["strategy"] = strategy,
        ["group_size"] = null,
        ["dynamic"] = isDynamic,
        ["actorder"] = null,
        ["observer"] = isDynamic ? null : "minmax",
        ["observer_kwargs"] = new JsonObject(),
        ["block_structure"] = null,
    };

    private WeightQuantization ReadGroup(ConfigKeys group, IReadOnlyList<string> strategies)
    {
        if (group.Count("num_bits", 1, 16) is var bits and not 8)
            group.Problem("num_bits", $"is {bits}; supported: 8");
        if (group.Text("type", type) is var found && found != type)
            group.Problem("type", $"is '{found}'; supported: {type}");
        if (!group.Flag("symmetric", true))
            group.Problem("symmetric", "is false; supported: true");
        var strategy = group.Text("strategy", "tensor")!;
        if (!strategies.Contains(strategy))
            group.Problem("strategy", $"is '{strategy}'; supported: {string.Join(", ", strategies)}");
        return new WeightQuantization(8, strategy == "tensor" ? WeightQuantization.PerTensor : -1, Symmetric: true);
    }

    private static string? Text(JsonObject entry, string key) => entry[key] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
