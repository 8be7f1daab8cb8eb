using System.Diagnostics;
using Dapper;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// Which trace a run belongs to: a line of the run's log, so that every span of a run is in one trace, whichever process makes
/// it and however often the orchestrator is started again. Neither read nor written while nobody collects traces.
/// </summary>
internal sealed class RunTraces(LedgerDatabase database)
{
    /// <summary>Starts the span that is the root of a run's trace.</summary>
    public static Activity? Begin(Guid runId) => OrchestratorTelemetry.Source.StartActivity("run submit", ActivityKind.Server)?.SetTag("run", runId);

    /// <summary>Keeps the trace of a new run.</summary>
    public Task SaveAsync(Guid runId, Activity? root, CancellationToken cancellationToken) => root?.Id is { } id
        ? database.WriteAsync(transaction => transaction.LogAsync(runId.ToString(), "", new RunTraced(id)), cancellationToken)
        : Task.CompletedTask;

    /// <summary>The root span of a run as a W3C trace parent, or null.</summary>
    public async Task<string?> FindAsync(Guid runId, CancellationToken cancellationToken)
    {
        if (!OrchestratorTelemetry.Source.HasListeners())
            return null;
        var body = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<string>(
                "select body from event where run_id = @run and type = @type order by id limit 1", new { run = runId.ToString(), type = nameof(RunTraced) }),
            cancellationToken).ConfigureAwait(false);
        return JsonColumn.Read<RunTraced>(body)?.TraceParent;
    }
}

/// <summary>A run's trace, as the run's log keeps it.</summary>
internal sealed record RunTraced(string TraceParent);
