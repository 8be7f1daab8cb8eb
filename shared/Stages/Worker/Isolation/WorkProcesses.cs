using System.Collections.Concurrent;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>
/// Work processes between attempts. One that ended its attempt well and is small takes the next one, so that short steps do
/// not pay for a start; after some attempts, or when memory stays behind, a fresh one takes over. One that sits idle ends. Processes
/// that work at the same time have different devices, as far as there are enough.
/// </summary>
internal sealed class WorkProcesses(IReadOnlyList<string> command, TimeProvider time, WorkDevices devices) : IAsyncDisposable
{
    private const int MostAttempts = 64;
    private const long MostBytesKept = 1L << 30;
    private static readonly TimeSpan MostIdle = TimeSpan.FromMinutes(2);
    private readonly ConcurrentStack<(WorkProcess Process, long Since)> _idle = new();
    private volatile bool _isClosed;

    /// <summary>One that is ready for an attempt.</summary>
    public WorkProcess Take()
    {
        while (_idle.TryPop(out var idle))
        {
            if (idle.Process.IsAlive && time.GetElapsedTime(idle.Since) < MostIdle && devices.TryTake(idle.Process.Device))
                return idle.Process;
            _ = idle.Process.DisposeAsync().AsTask();
        }
        return Start();
    }

    /// <summary>A fresh one.</summary>
    public WorkProcess Start()
    {
        var device = devices.Take();
        try
        {
            return WorkProcess.Start(command, devices.EnvironmentOf(device), device);
        }
        catch
        {
            devices.GiveBack(device);
            throw;
        }
    }

    /// <summary>Takes one back whose attempt has ended; it may take another.</summary>
    public async Task GiveBackAsync(WorkProcess process)
    {
        process.Attempts++;
        if (_isClosed || !process.IsAlive || process.Attempts >= MostAttempts || PeakMemory.ResidentOf(process.Id) > MostBytesKept)
        {
            await EndAsync(process).ConfigureAwait(false);
            return;
        }
        devices.GiveBack(process.Device);
        _idle.Push((process, time.GetTimestamp()));
    }

    /// <summary>Ends one that is at an attempt, or whose attempt has ended.</summary>
    public async Task EndAsync(WorkProcess process)
    {
        await process.DisposeAsync().ConfigureAwait(false);
        devices.GiveBack(process.Device); // its memory is free now
    }

    public async ValueTask DisposeAsync()
    {
        _isClosed = true;
        while (_idle.TryPop(out var idle))
            await idle.Process.DisposeAsync().ConfigureAwait(false);
    }
}
