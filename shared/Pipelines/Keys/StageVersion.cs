using System.Reflection;
using Espalier.Contracts;

namespace Espalier.Pipelines.Keys;

/// <summary>
/// The version of a stage's code, without anybody writing it down: a digest over the module version ids of its assembly and of
/// every Espalier assembly that it references. Builds are deterministic, so the same source gives the same version anywhere.
/// </summary>
public static class StageVersion
{
    private const string Prefix = "Espalier.";

    /// <summary>The version of the code behind a type.</summary>
    public static string Of(Type stage)
    {
        var modules = new SortedDictionary<string, Guid>(StringComparer.Ordinal);
        Collect(stage.Assembly, modules);
        return CanonicalJson.DigestOf(modules).Hex[..16];
    }

    private static void Collect(Assembly assembly, SortedDictionary<string, Guid> modules)
    {
        if (!modules.TryAdd(assembly.GetName().Name!, assembly.ManifestModule.ModuleVersionId))
            return;
        foreach (var reference in assembly.GetReferencedAssemblies())
        {
            if (reference.Name?.StartsWith(Prefix, StringComparison.Ordinal) == true)
                Collect(Assembly.Load(reference), modules);
        }
    }
}
