using System.Runtime.InteropServices;

namespace Espalier.Modeling.Runtime;

/// <summary>
/// Keeps the C library's allocator from holding memory that nobody uses. glibc gives every thread an arena of its own
/// and returns little of it; steps run on changing pool threads, so a process that trains one model after another
/// grew by the size of a training step each time. Two arenas hold it flat. A choice in the environment is respected.
/// </summary>
internal static partial class AllocatorChoice
{
    private const string Variable = "MALLOC_ARENA_MAX";
    private const int ArenaMaximum = -8; // M_ARENA_MAX of <malloc.h>
    private const int Arenas = 2;

    public static void Apply()
    {
        if (IsGlibc && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)))
            _ = SetOption(ArenaMaximum, Arenas);
    }

    /// <summary>Gives free pages back to the operating system.</summary>
    public static void Trim()
    {
        if (IsGlibc)
            _ = Release(0);
    }

    private static bool IsGlibc { get; } =
        OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out nint library) && NativeLibrary.TryGetExport(library, "malloc_trim", out _);

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int Release(nuint keep);
}
