using Espalier.Contracts;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>
/// Says what the worker offers: at the start, then at an interval, and at once when the orchestrator does not know it. An
/// advertisement that nobody takes is sent again within seconds; each stage's is its own, so that one that fails keeps no other back.
/// </summary>
internal sealed class StageAdvertiser(
    Func<IReadOnlyList<StageAdvertised>> offers, Func<StageAdvertised, CancellationToken, Task> publish, TimeSpan interval, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromSeconds(15);
    private readonly SemaphoreSlim _asked = new(0, 1);

    /// <summary>Whether everything was said since the start.</summary>
    public bool HasAdvertised { get; private set; }

    /// <summary>Says it again, now: the orchestrator has not heard it.</summary>
    public void Repeat()
    {
        try
        {
            _asked.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is asked for already.
        }
    }

    /// <summary>Runs until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (!stopping.IsCancellationRequested)
        {
            failures = await TryAllAsync(stopping).ConfigureAwait(false) ? 0 : failures + 1;
            HasAdvertised |= failures == 0;
            await PauseAsync(failures == 0 ? interval : PauseAfter(failures), stopping).ConfigureAwait(false);
        }
    }

    private async Task<bool> TryAllAsync(CancellationToken stopping)
    {
        try
        {
            var said = await Task.WhenAll(offers().Select(o => TryAsync(o, stopping))).ConfigureAwait(false);
            return said.All(s => s);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            StageLog.WorkerFailed(logger, e);
            return false;
        }
    }

    private async Task<bool> TryAsync(StageAdvertised offer, CancellationToken stopping)
    {
        try
        {
            await publish(offer, stopping).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            StageLog.RequestFailed(logger, $"advertisement of '{offer.Kind}'", e.Message);
            return false;
        }
    }

    private TimeSpan PauseAfter(int failures)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(failures, 10) - 1);
        pause = pause < LongestPause ? pause : LongestPause;
        return pause < interval ? pause : interval;
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(_asked.WaitAsync(ended.Token), Task.Delay(pause, time, ended.Token)).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
    }
}
