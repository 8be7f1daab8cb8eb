using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Modeling;

/// <summary>
/// Finds the family files: embedded resources called <c>model-family/NAME.json</c>, in this assembly and in every other that is
/// loaded when the first family is asked for.
/// </summary>
internal static class FamilyCatalog
{
    private const string Prefix = "model-family/";

    private static readonly JsonSerializerOptions Strict = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.KebabCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private static readonly SortedDictionary<string, ModelFamily> ByName = Discover();

    public static IReadOnlyList<ModelFamily> All { get; } = [.. ByName.Values];

    public static ModelFamily? Find(string name) => ByName.GetValueOrDefault(name);

    private static SortedDictionary<string, ModelFamily> Discover()
    {
        var own = typeof(FamilyCatalog).Assembly;
        var resources = AppDomain.CurrentDomain.GetAssemblies().Where(assembly => assembly != own && !assembly.IsDynamic).Prepend(own)
            .SelectMany(assembly => assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)), (assembly, name) =>
                (assembly, name))
            .DistinctBy(resource => resource.name); // the artifact store carries the same files
        var families = new SortedDictionary<string, ModelFamily>(StringComparer.Ordinal);
        foreach (var (assembly, name) in resources)
        {
            var family = Read(assembly, name);
            if (name != $"{Prefix}{family.Name}.json")
                throw new InvalidOperationException(
                    $"{assembly.GetName().Name}: the family file '{name}' describes '{family.Name}'; a family's file has its name.");
            families.Add(family.Name, family);
        }
        return families;
    }

    private static ModelFamily Read(Assembly assembly, string name)
    {
        using var stream = assembly.GetManifestResourceStream(name)!;
        try
        {
            return JsonSerializer.Deserialize<ModelFamily>(stream, Strict)!;
        }
        catch (JsonException e)
        {
            throw new InvalidOperationException($"{assembly.GetName().Name}: the family file '{name}' cannot be read: {e.Message}", e);
        }
    }
}
