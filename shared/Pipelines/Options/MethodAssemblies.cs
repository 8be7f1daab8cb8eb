using System.Reflection;

namespace Espalier.Pipelines.Options;

/// <summary>
/// Where the methods behind an interface are looked for: in the assembly that declares it, and in every assembly that references
/// that one and is loaded when the methods are first asked for. So a method needs no registration, wherever its file lies.
/// </summary>
public static class MethodAssemblies
{
    /// <summary>Classes that implement <paramref name="contract"/> and can be made without arguments.</summary>
    public static IEnumerable<Type> FindImplementations(Type contract) =>
        Of(contract.Assembly).SelectMany(assembly => assembly.GetTypes())
            .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(contract) && HasEmptyConstructor(type));

    /// <summary>The assembly itself, then those that reference it, by name.</summary>
    public static IReadOnlyList<Assembly> Of(Assembly declaring)
    {
        var name = declaring.GetName().Name;
        return
        [
            declaring,
            .. AppDomain.CurrentDomain.GetAssemblies()
                .Where(assembly => assembly != declaring && !assembly.IsDynamic && assembly.GetReferencedAssemblies().Any(reference => reference.Name == name))
                .OrderBy(assembly => assembly.GetName().Name, StringComparer.Ordinal),
        ];
    }

    private static bool HasEmptyConstructor(Type type) =>
        type.GetConstructor(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, Type.EmptyTypes) is not null;
}
