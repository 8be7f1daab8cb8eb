using TorchSharp;

namespace Espalier.Bench;

/// <summary>Someone else's engine with the same model, in a process of its own.</summary>
/// <param name="Name">Engine and version, for example <c>libtorch-2.10.0</c>.</param>
/// <param name="Start">Starts it on a shape and work in one precision, <c>fp32</c> or <c>bf16</c>.</param>
internal sealed record Peer(string Name, Func<BenchShape, BenchWorkKind, string, BenchProcess> Start)
{
    /// <summary>Eager LibTorch, which is always there, and Debian's PyTorch where it is installed.</summary>
    public static async Task<IReadOnlyList<Peer>> FindAsync(CancellationToken cancellationToken)
    {
        var eager = new Peer($"libtorch-{torch.__version__}", (shape, kind, precision) => BenchProcess.Own(BenchWorker.EagerSide, shape, kind, precision));
        return await PeerScript.VersionAsync(cancellationToken).ConfigureAwait(false) is { } version
            ? [eager, new Peer($"pytorch-{version}", BenchProcess.Script)]
            : [eager];
    }
}
