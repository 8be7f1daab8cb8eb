using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// What this project knows of the model families: the section <c>tensors</c> of the family files, and a few keys of
/// <c>config.json</c>. Families are found as embedded resources <c>model-family/NAME.json</c> of all loaded assemblies.
/// </summary>
internal static partial class FamilyNames
{
    private const string Prefix = "model-family/";

    private static readonly JsonSerializerOptions Kebab = new() { PropertyNamingPolicy = JsonNamingPolicy.KebabCaseLower };

    private static readonly Dictionary<string, FamilyFile> Files = Discover();

    private static readonly Dictionary<string, TensorNaming> Namings = Files.Where(file => file.Value.Tensors is not null)
        .ToDictionary(file => file.Key, file => file.Value.Tensors!.ToNaming());

    /// <summary>Tensor names of a family; those of the store for a family that has no others or is not known.</summary>
    public static TensorNaming Of(string? family) => Namings.GetValueOrDefault(family ?? "", TensorNaming.Common);

    /// <summary>How a family spells a key of <c>config.json</c> that most families have.</summary>
    public static string KeyOf(string? family, string key) => Files.GetValueOrDefault(family ?? "")?.Keys?.GetValueOrDefault(key) ?? key;

    /// <summary>Keys of the number of experts, of all families.</summary>
    public static IReadOnlyList<string> ExpertsKeys { get; } = [.. Files.Values.Select(file => file.ExpertsKey).OfType<string>().Distinct()];

    /// <summary>Layer prefix and part of a tensor that holds all experts of a layer: <c>gate_up_proj</c> or <c>down_proj</c>.</summary>
    public static (string Prefix, string Part)? FindStacked(string name) =>
        Stacked().Match(name) is { Success: true } match ? (match.Groups[1].Value, match.Groups[2].Value) : null;

    /// <summary>Layer prefix, number and part of one expert's plain weight.</summary>
    public static (string Prefix, int Expert, string Part)? FindExpert(string name) =>
        SingleExpert().Match(name) is { Success: true } match
            ? (match.Groups[1].Value, int.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture), match.Groups[3].Value)
            : null;

    [GeneratedRegex(@"^(model\.layers\.[0-9]{1,6}\.mlp\.experts\.)(gate_up_proj|down_proj)$", RegexOptions.CultureInvariant)]
    private static partial Regex Stacked();

    [GeneratedRegex(@"^(model\.layers\.[0-9]{1,6}\.mlp\.experts\.)([0-9]{1,6})\.(gate_proj|up_proj|down_proj)\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex SingleExpert();

    private static Dictionary<string, FamilyFile> Discover()
    {
        var own = typeof(FamilyNames).Assembly;
        return AppDomain.CurrentDomain.GetAssemblies().Where(assembly => assembly != own && !assembly.IsDynamic).Prepend(own)
            .SelectMany(assembly => assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)), (assembly, name) =>
                (assembly, name))
            .DistinctBy(resource => resource.name) // the decoder's project carries the same files
            .ToDictionary(resource => resource.name[Prefix.Length..^".json".Length], resource =>
                Read(resource.assembly, resource.name), StringComparer.Ordinal);
    }

    private static FamilyFile Read(Assembly assembly, string name)
    {
        using var stream = assembly.GetManifestResourceStream(name)!;
        try
        {
            return JsonSerializer.Deserialize<FamilyFile>(stream, Kebab)!;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new InvalidOperationException($"{assembly.GetName().Name}: the family file '{name}' cannot be read: {e.Message}", e);
        }
    }

    // The rest of the file is the decoder's, which refuses keys that it does not know.
    private sealed record FamilyFile(string? ExpertsKey, Dictionary<string, string>? Keys, TensorSection? Tensors);

    [JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
    private sealed record TensorSection(Dictionary<string, string> Names, Dictionary<string, string>? StackedNames, Dictionary<string, string>? ReadAlso)
    {
        public TensorNaming ToNaming() => new(Names, StackedNames, ReadAlso);
    }
}
