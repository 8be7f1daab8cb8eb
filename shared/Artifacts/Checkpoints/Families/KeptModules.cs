using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// The list in <c>quantization_config</c> of modules that keep their weights. Readers expect codes in every linear module that it leaves out, so
/// it is made from the tensors whenever a packed checkpoint is written. Entries are module names, or <c>re:</c> and a pattern that fits the start
/// of a name.
/// </summary>
internal static class KeptModules
{
    private const string Pattern = "re:";
    private const string Weight = ".weight";
    private const string Dynamic = "dynamic";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// A <c>config.json</c> whose list has every module with a plain matrix and none with codes; the same bytes when it is so, or nothing is packed.
    /// </summary>
    /// <param name="config">The file.</param>
    /// <param name="tensors">The checkpoint's tensors, by the store's names.</param>
    public static byte[] Complete(byte[] config, IReadOnlyCollection<TensorHeader> tensors)
    {
        if (JsonNode.Parse(config.AsSpan().StartsWith("\uFEFF"u8) ? config.AsSpan(3) : config) is not JsonObject root
            || root["quantization_config"] is not JsonObject quantization || FindKey(quantization) is not { } key)
            return config;
        var naming = FamilyNames.Of(FamilyFacts.Read(config).Family);
        var plain = tensors.Where(IsPlainMatrix).Select(tensor => tensor.Name[..^Weight.Length]).Order(LayerOrder.Comparer).ToList();
        var packed = tensors.GroupBy(tensor => ModuleOf(tensor.Name))
            .Where(module => module.Count() > 1 && !module.Any(tensor => tensor.Name.EndsWith(Weight, StringComparison.Ordinal) && IsPlain(tensor)))
            .Select(module => module.Key).ToHashSet(StringComparer.Ordinal);
        var known = plain.Concat(packed).ToHashSet(StringComparer.Ordinal);

        var before = (quantization[key] as JsonArray ?? []).Select(entry => entry is JsonValue value && value.TryGetValue<string>(out var text) ? text : null)
            .OfType<string>().ToList();
        var kept = before.Where(entry => IsPattern(entry) ? !packed.Any(module => Fits(entry, module, naming)) : IsOfTheModel(naming.ToStore(entry))).ToList();
        var names = kept.Where(entry => !IsPattern(entry)).Select(naming.ToStore).ToHashSet(StringComparer.Ordinal);
        var patterns = kept.Where(IsPattern).ToList();
        kept.AddRange(plain.Where(module => !names.Contains(module) && !patterns.Exists(pattern => Fits(pattern, module, naming))));
        var isListed = quantization[Dynamic] is not JsonObject dynamic || dynamic.Select(entry => entry.Key).SequenceEqual(kept.Select(Exclusion));
        if (kept.SequenceEqual(before) && isListed)
            return config;
        quantization[key] = new JsonArray([.. kept.Select(entry => JsonValue.Create(entry))]);
        if (!isListed)
            quantization[Dynamic] = new JsonObject(kept.Select(entry => KeyValuePair.Create(Exclusion(entry), (JsonNode?)new JsonObject())));
        return JsonSerializer.SerializeToUtf8Bytes(root, Indented);

        // As GPTQModel and vLLM have it: a pattern of names on disk, with a sign that takes them out.
        string Exclusion(string entry) => IsPattern(entry) ? $"-:{entry[Pattern.Length..]}" : $"-:^{Regex.Escape(naming.ToDisk(entry))}$";

        // Names that stand for no tensor of a layer are left alone: a tied head, the name of a class.
        bool IsOfTheModel(string entry) => !packed.Contains(entry) && (known.Contains(entry) || !entry.StartsWith("model.layers.", StringComparison.Ordinal));
    }

    // Formats of our own may call their list something else: it is the one list of the entry.
    private static string? FindKey(JsonObject quantization) =>
        quantization.ContainsKey("ignore") || (string?)quantization["quant_method"] == "compressed-tensors" ? "ignore"
        : quantization.Where(entry => entry.Value is JsonArray).Select(entry => entry.Key).ToList() is [var only] ? only : null;

    // An embedding is looked up, not multiplied with.
    private static bool IsPlainMatrix(TensorHeader tensor) =>
        tensor.Shape.Count == 2 && tensor.Name.EndsWith(Weight, StringComparison.Ordinal) && IsPlain(tensor)
            && !tensor.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal);

    // Codes of eight bits may lie under the plain name.
    private static bool IsPlain(TensorHeader tensor) => tensor.DType is "F32" or "BF16" or "F16" or "F64";

    private static string ModuleOf(string tensor) => tensor[..Math.Max(0, tensor.LastIndexOf('.'))];

    private static bool IsPattern(string entry) => entry.StartsWith(Pattern, StringComparison.Ordinal);

    // The name on disk is what readers compare. A pattern that cannot be read in bounded time fits nothing.
    private static bool Fits(string pattern, string module, TensorNaming naming)
    {
        try
        {
            return Regex.IsMatch(naming.ToDisk(module), $"^(?:{pattern[Pattern.Length..]})", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }
}
