using Espalier.Modeling.Runtime;

namespace Espalier.Evaluator.Passes;

/// <summary>How much memory an evaluation may take.</summary>
internal sealed record MemoryLimits
{
    /// <summary>Bytes that are free now; 0 where the system does not tell.</summary>
    public Func<long> FreeBytes { get; init; } = HostMemory.FreeBytes;

    /// <summary>Bytes that may be used now; 0 when that is not known.</summary>
    /// <param name="ofWorker">What the worker has for a step; 0 when it does not say.</param>
    public long UsableBytes(long ofWorker) => (FreeBytes(), ofWorker) switch
    {
        (var free, 0) => free,
        (0, _) => ofWorker,
        var (free, _) => Math.Min(free, ofWorker),
    };

    /// <summary>Bytes of the streams that wait between layers; see <see cref="LayeredPass.StreamBytes"/>.</summary>
    public long StreamBytes { get; init; } = LayeredPass.StreamBytes;
}
