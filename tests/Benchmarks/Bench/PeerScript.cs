using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using Espalier.Contracts;

namespace Espalier.Bench;

/// <summary>The peer on Debian's PyTorch: a Python script.</summary>
internal static class PeerScript
{
    private const string FromRoot = "tests/Benchmarks/peer/bench_peer.py";

    /// <summary>The Python that has Debian's PyTorch.</summary>
    public static string Python => Environment.GetEnvironmentVariable("ESPALIER_PEER_PYTHON") is { Length: > 0 } named ? named : "/usr/bin/python3";

    /// <summary>The script, in the checkout that this program was built in.</summary>
    /// <exception cref="UserInputException">It is not there.</exception>
    public static string Path => Find();

    /// <summary>
    /// The kernels that Debian's OpenBLAS should use: it does not recognise newer processors and would fall back to SSE, five
    /// times slower. A choice in the environment is respected.
    /// </summary>
    public static string? BlasKernel =>
        Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is { Length: > 0 } chosen ? chosen
        : Avx512F.VL.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported ? "SkylakeX"
        : Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;

    /// <summary>The version of PyTorch that <see cref="Python"/> has, or null when it has none.</summary>
    public static async Task<string?> VersionAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Python))
            return null;
        string[] question = ["-c", "import torch; print(torch.__version__)"];
        using var process = Process.Start(new ProcessStartInfo(Python, question) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = await process.StandardOutput.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
        await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        return process.ExitCode == 0 ? output.Trim() : null;
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var script = System.IO.Path.Combine(folder.FullName, FromRoot);
            if (File.Exists(script))
                return script;
        }
        throw new UserInputException(
            $"The peer's script {FromRoot} is not in a folder above {AppContext.BaseDirectory}: run from a checkout, or measure ours alone with --alone.");
    }
}
