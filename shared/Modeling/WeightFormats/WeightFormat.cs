namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// Every weight format, by name: those of this assembly, and those of assemblies that reference it and are loaded when the first is asked for.
/// </summary>
public static class WeightFormat
{
    /// <summary>The format that is written unless another is named.</summary>
    public const string Default = PackQuantized.FormatName;

    private static readonly SortedDictionary<string, IWeightFormat> ByName = Discover();

    /// <summary>All of them, by name in ordinal order.</summary>
    public static IReadOnlyCollection<IWeightFormat> All => ByName.Values;

    /// <summary>The format of that name.</summary>
    /// <exception cref="InvalidModelException">There is none; the message lists those that exist.</exception>
    public static IWeightFormat Of(string name) => ByName.GetValueOrDefault(name)
        ?? throw new InvalidModelException($"The weight format '{name}' is not supported; supported: {string.Join(", ", ByName.Keys)}.");

    private static SortedDictionary<string, IWeightFormat> Discover()
    {
        var own = typeof(WeightFormat).Assembly;
        var formats = new SortedDictionary<string, IWeightFormat>(StringComparer.Ordinal);
        var assemblies = AppDomain.CurrentDomain.GetAssemblies()
            .Where(assembly => !assembly.IsDynamic && assembly.GetReferencedAssemblies().Any(r => r.Name == own.GetName().Name));
        foreach (var type in assemblies.Prepend(own).Distinct().SelectMany(assembly => assembly.GetTypes())
            .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IWeightFormat))))
        {
            var format = (IWeightFormat)Activator.CreateInstance(type, nonPublic: true)!;
            if (!formats.TryAdd(format.Name, format))
                throw new InvalidOperationException($"{type} and {formats[format.Name].GetType()} are both named '{format.Name}'.");
        }
        return formats;
    }
}
