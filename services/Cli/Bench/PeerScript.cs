using Espalier.Contracts;

namespace Espalier.Cli.Bench;

/// <summary>Where the PyTorch twin is.</summary>
internal static class PeerScript
{
    private const string FromRoot = "tests/Benchmarks/peer/bench_peer.py";

    /// <summary>The Python that has Debian's PyTorch.</summary>
    public static string Python => Environment.GetEnvironmentVariable("ESPALIER_PEER_PYTHON") is { Length: > 0 } named ? named : "/usr/bin/python3";

    /// <summary>The script, in the checkout that this program was built in.</summary>
    /// <exception cref="UserInputException">It is not there, or its Python has no PyTorch.</exception>
    public static string Path => Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var script = System.IO.Path.Combine(folder.FullName, FromRoot);
            if (File.Exists(script))
                return script;
        }
        throw new UserInputException($"The peer's script {FromRoot} is not in a folder above {AppContext.BaseDirectory}: run from a checkout, or measure ours alone with --alone.");
    }
}
