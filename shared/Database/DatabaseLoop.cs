using System.Data.Common;
using Microsoft.Extensions.Logging;

namespace Espalier.Database;

/// <summary>
/// Rounds of work over a database, for as long as a process runs. A round that fails is tried again. Each kind of failure is said once,
/// and then that it works again: a database that is away for an hour is a few lines of the log.
/// </summary>
/// <param name="name">Name of the loop in the log.</param>
/// <param name="time">Clock of the pauses.</param>
/// <param name="logger">Where failures are said.</param>
public sealed class DatabaseLoop(string name, TimeProvider time, ILogger logger)
{
    // Kinds of failures since the last round that worked.
    private readonly HashSet<(Type, string?)> _said = [];

    /// <summary>Runs until it is cancelled.</summary>
    /// <param name="round">Does the work; true when there is more to do at once.</param>
    /// <param name="wait">Waits for more work.</param>
    /// <param name="pause">Time between a failure and the next round.</param>
    /// <param name="cancellationToken">Ends the loop without an exception.</param>
    public async Task RunAsync(Func<CancellationToken, Task<bool>> round, Func<CancellationToken, Task> wait, TimeSpan pause,
        CancellationToken cancellationToken)
    {
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                if (!await TryAsync(round, cancellationToken).ConfigureAwait(false))
                    await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
                else
                    await wait(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>
    /// As <see cref="RunAsync(Func{CancellationToken, Task{bool}}, Func{CancellationToken, Task}, TimeSpan, CancellationToken)"/>, with
    /// the same pause after every round.
    /// </summary>
    public Task RunAsync(Func<CancellationToken, Task> round, TimeSpan pause, CancellationToken cancellationToken) => RunAsync(
        async token =>
        {
            await round(token).ConfigureAwait(false);
            return false;
        },
        token => Task.Delay(pause, time, token), pause, cancellationToken);

    /// <summary>Rounds until there is nothing more to do at once; false when one failed.</summary>
    private async Task<bool> TryAsync(Func<CancellationToken, Task<bool>> round, CancellationToken cancellationToken)
    {
        try
        {
            while (await round(cancellationToken).ConfigureAwait(false))
            {
                // More is due.
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (_said.Add((e.GetType(), (e as DbException)?.SqlState)))
                DatabaseLog.LoopFailed(logger, name, e.Message, e);
            return false;
        }
        if (_said.Count > 0)
            DatabaseLog.LoopRecovered(logger, name);
        _said.Clear();
        return true;
    }
}
