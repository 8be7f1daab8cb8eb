using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Stages.Methods;

/// <summary>Every method of kind <typeparamref name="T"/>, by name; see <see cref="MethodAssemblies"/> for where they are looked for.</summary>
public static class MethodCatalog<T> where T : class, IStageMethod
{
    private static readonly SortedDictionary<string, T> ByName = Discover();

    /// <summary>All methods, by name in ordinal order.</summary>
    public static IReadOnlyCollection<T> All => ByName.Values;

    /// <summary>Their names in ordinal order.</summary>
    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <summary>The method of that name.</summary>
    /// <param name="name">Name as the user wrote it.</param>
    /// <param name="option">Path of the option it was written in, for the message.</param>
    /// <exception cref="UserInputException">There is no such method; the message lists those that exist.</exception>
    public static T Get(string name, string option) =>
        ByName.TryGetValue(name, out var method)
            ? method
            : throw new UserInputException($"Option '{option}': there is no '{name}'. Choose one of: {string.Join(", ", Names)}.");

    private static SortedDictionary<string, T> Discover()
    {
        var methods = new SortedDictionary<string, T>(StringComparer.Ordinal);
        foreach (var type in MethodAssemblies.FindImplementations(typeof(T)))
        {
            var method = (T)Activator.CreateInstance(type, nonPublic: true)!;
            if (!methods.TryAdd(method.Name, method))
                throw new InvalidOperationException($"{type} and {methods[method.Name].GetType()} are both named '{method.Name}'.");
        }
        return methods;
    }
}
