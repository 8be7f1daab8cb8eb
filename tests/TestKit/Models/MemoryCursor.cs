using Espalier.Stages;

namespace Espalier.TestKit.Models;

/// <summary>A cursor in memory; it can stop the step right after a save, as a kill does.</summary>
public sealed class MemoryCursor : IStageCursor
{
    /// <summary>What was saved last; null before the first save.</summary>
    public byte[]? Position { get; set; }

    /// <summary>Saves until the step is stopped; 0 never stops it.</summary>
    public int StopAfter { get; set; }

    public int Saves { get; private set; }

    public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => Task.FromResult(Position);

    public Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken)
    {
        Position = position.ToArray();
        return ++Saves == StopAfter ? throw new KilledException() : Task.CompletedTask;
    }

    public void Clear() => Position = null;
}

public sealed class KilledException : Exception;
