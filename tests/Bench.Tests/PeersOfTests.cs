using System.Runtime.CompilerServices;

namespace Espalier.Bench.Tests;

/// <summary>
/// The tests of the command compare with LibTorch alone, unless the environment names a Python: Debian's PyTorch, which other tests want
/// installed, takes minutes for bfloat16 on processors without it.
/// </summary>
internal static class PeersOfTests
{
    private const string Python = "ESPALIER_PEER_PYTHON";

    [ModuleInitializer]
    internal static void LeaveOutPyTorch()
    {
        if (Environment.GetEnvironmentVariable(Python) is not { Length: > 0 })
            Environment.SetEnvironmentVariable(Python, "none");
    }
}
