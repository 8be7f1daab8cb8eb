using System.Runtime.InteropServices;

namespace Espalier.Modeling.Runtime;

/// <summary>The environment as native libraries see it. .NET keeps a copy of its own and never writes it back.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>Gives the variable this value unless it has one. Child processes do not inherit it: they choose for themselves.</summary>
    public static void SetDefault(string name, string value)
    {
        if (OperatingSystem.IsLinux() && Set(name, value, overwrite: 0) != 0)
            throw new InvalidOperationException($"cannot set the environment variable {name} to '{value}'");
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Set(string name, string value, int overwrite);
}
