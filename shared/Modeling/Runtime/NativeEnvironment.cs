using System.Runtime.InteropServices;

namespace Espalier.Modeling.Runtime;

/// <summary>The environment as native libraries see it. .NET keeps a copy of its own and never writes it back.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>Gives the variable this value unless it has one. Child processes do not inherit it: they choose for themselves.</summary>
    public static void SetDefault(string name, string value) => Set(name, value, overwrite: 0);

    /// <summary>Gives the variable this value, whatever it has; as <see cref="SetDefault"/> otherwise.</summary>
    public static void Set(string name, string value) => Set(name, value, overwrite: 1);

    private static void Set(string name, string value, int overwrite)
    {
        if (OperatingSystem.IsLinux() && SetVariable(name, value, overwrite) != 0)
            throw new InvalidOperationException($"cannot set the environment variable {name} to '{value}'");
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}
