using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Espalier.Cli.Progress;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Client;

/// <summary>
/// Follows a run over HTTP to its end. When the connection breaks, or the orchestrator is started again, it resumes after the
/// last event that it saw.
/// </summary>
internal sealed class RemoteWatcher(PlatformClient client, Guid runId, Action<string> say)
{
    private const string Progress = "step-progress", StateChange = "step-state-changed";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500), Patience = TimeSpan.FromMinutes(5);

    /// <summary>Passes on every event until the run ends.</summary>
    public async Task<RunView> WatchAsync(Func<SseItem<string>, CancellationToken, Task> take, CancellationToken cancellationToken)
    {
        string? last = null;
        var silence = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await foreach (var item in client.EventsAsync(runId, last, cancellationToken).ConfigureAwait(false))
                {
                    last = item.EventId is { Length: > 0 } id ? id : last;
                    silence.Restart();
                    await take(item, cancellationToken).ConfigureAwait(false);
                }
                var run = await client.Api.FindRunAsync(runId, cancellationToken).ConfigureAwait(false);
                if (run.State is RunState.Succeeded or RunState.Failed or RunState.Cancelled)
                    return run;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or PlatformUnreachableException && silence.Elapsed < Patience)
            {
                if (silence.Elapsed < Pause)
                    say("The connection was lost; reconnecting.");
            }
            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes every event.</summary>
    public Task<RunView> WatchAsync(Action<SseItem<string>, CancellationToken> write, CancellationToken cancellationToken) =>
        WatchAsync((item, token) =>
        {
            write(item, token);
            return Task.CompletedTask;
        }, cancellationToken);

    /// <summary>Shows every change. The ledger is the truth; a state event only says that it is time to read it.</summary>
    public async Task<RunView> WatchAsync(IStepBoard board, CancellationToken cancellationToken)
    {
        var changes = new StepChanges();
        var ended = await WatchAsync(async (item, token) =>
        {
            if (item.EventType == Progress)
                board.Advance(JsonSerializer.Deserialize<StepProgress>(item.Data, WireJson.Options)!);
            else if (item.EventType == StateChange)
            {
                var run = await client.Api.FindRunAsync(runId, token).ConfigureAwait(false);
                var change = JsonSerializer.Deserialize<StepStateChanged>(item.Data, WireJson.Options)!;
                changes.Show(board, change, run.Steps.FirstOrDefault(s => s.Name == change.Step)?.Kind);
                changes.Show(board, run);
            }
        }, cancellationToken).ConfigureAwait(false);
        changes.Show(board, ended);
        return ended;
    }
}
