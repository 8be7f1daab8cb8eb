using Dapper;
using Espalier.Database;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>What steps of a run need of each other.</summary>
internal static class StepNeeds
{
    private const string IsOpen = "s.state not in ('succeeded', 'cached')";

    /// <summary>The steps that a step needs, as they are.</summary>
    public static Task<List<StepRow>> NeedsOfAsync(this LedgerDatabase database, string runId, string name, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection => (await connection.QueryAsync<StepRow>(
            "select s.* from step s join step_need n on n.run_id = s.run_id and n.needs = s.name where n.run_id = @runId and n.name = @name",
            new { runId, name }).ConfigureAwait(false)).AsList(), cancellationToken);

    /// <summary>How many of the steps that a step needs have not ended well.</summary>
    public static Task<int> CountOpenNeedsAsync(this DatabaseTransaction transaction, StepRow step) =>
        transaction.FindAsync<int>(
            $"select count(*) from step_need n join step s on s.run_id = n.run_id and s.name = n.needs where n.run_id = @RunId and n.name = @Name and {IsOpen}",
            new { step.RunId, step.Name });

    /// <summary>Counts anew what the waiting steps of a run wait for: steps that had ended are open again.</summary>
    public static Task<int> RecountNeedsAsync(this DatabaseTransaction transaction, string runId) =>
        transaction.ExecuteAsync(
            $"""
            update step set waiting_on = (
                select count(*) from step_need n join step s on s.run_id = n.run_id and s.name = n.needs
                 where n.run_id = step.run_id and n.name = step.name and {IsOpen})
             where run_id = @runId and state = 'waiting'
            """, new { runId });
}
