using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;

namespace Espalier.Integration.Tests.Drills;

/// <summary>
/// A run in flight in a ledger of the first six migrations, with the rows that the code of that time wrote: of its steps <c>work</c>,
/// <c>next</c> and <c>last</c>, each of which reads the one before, a worker holds the first.
/// </summary>
internal static class OldRun
{
    /// <summary>Number of the newest migration that the ledger has seen.</summary>
    public const int Schema = 6;

    public const string Worker = "host-1", Version = "1f0c", Numerics = "none";

    public static readonly Guid Id = Guid.Parse("0199c2f4-0000-7000-8000-000000000001");

    public static Digest KeyOfWork { get; } = Digest.Of("work"u8);

    /// <summary>Writes the ledger.</summary>
    /// <param name="database">An empty database.</param>
    /// <param name="lease">How long the worker's lease lasts.</param>
    public static async Task WriteAsync(LedgerDatabase database, TimeSpan lease)
    {
        await database.MigrateAsync(default, Schema);
        await database.WriteAsync(async transaction =>
        {
            var (run, now) = (Id.ToString(), transaction.Now);
            await transaction.ExecuteAsync(
                """
                insert into run (id, number, name, file_name, pipeline, parameters, state, open_steps, created_at, started_at)
                values (@run, 1, 'old', 'old.yaml', 'name: old', '{}', 'running', 3, @now, @now)
                """, new { run, now });
            string[] names = ["work", "next", "last"];
            for (var position = 0; position < names.Length; position++)
            {
                var (name, before) = (names[position], position == 0 ? null : names[position - 1]);
                await transaction.ExecuteAsync(
                    """
                    insert into step (run_id, name, position, kind, device, priority, run_created_at, plan, state, waiting_on)
                    values (@run, @name, @position, 'noop', 'cpu', 0, @now, @plan, 'waiting', @waitingOn)
                    """, new { run, name, position, now, plan = PlanOf(name, before), waitingOn = before is null ? 0 : 1 });
                if (before is not null)
                    await transaction.ExecuteAsync("insert into step_need (run_id, name, needs) values (@run, @name, @before)", new { run, name, before });
            }
            await transaction.ExecuteAsync(
                """
                update step set state = 'running', attempt = 1, worker = @Worker, lease_until = @until, step_key = @key, offer = @offer, inputs = '[]',
                       ready_at = @now, started_at = @now, done = 5, total = 10
                 where run_id = @run and name = 'work'
                """,
                new
                {
                    run, now, Worker, key = KeyOfWork.Hex, offer = $"noop@{Version}@{Numerics}", until = now + (long)lease.TotalMilliseconds,
                });
            await transaction.ExecuteAsync("insert into worker (name, device, slots, seen_at) values (@Worker, 'cpu', 1, @now)", new { Worker, now });
            await transaction.ExecuteAsync(
                """
                insert into stage (kind, device, version, numerics_class, schema, first_seen_at, advertised_at, traits, number)
                values ('noop', 'cpu', @Version, @Numerics, @schema, @now, @now, null, 1)
                """, new { Version, Numerics, now, schema = OldBus.Golden("StageAdvertised")["schema"]!.ToJsonString() });
            await transaction.ExecuteAsync(
                "insert into outbox (destination, type, body, not_before, attempts) values ('', 'StepStateChanged', @body, @now, 0)",
                new { now, body = OldBus.Golden("StepStateChanged").ToJsonString() });
        }, default);
    }

    private static string PlanOf(string name, string? before)
    {
        var inputs = before is null ? "[]" : $$"""[{"step":"{{before}}","output":"model","as":"from"}]""";
        var options = $$"""{"text":"{{name}}","units":10,"gate":""{{(before is null ? "" : ",\"from\":\"input:from\"")}}}""";
        return JsonSerializer.Serialize(JsonSerializer.Deserialize<JsonElement>(
            $$"""
            {"name":"{{name}}","kind":"noop","options":{{options}},"inputs":{{inputs}},"needs":[{{(before is null ? "" : $"\"{before}\"")}}],
             "retry":{"attempts":3,"backoff":"00:00:05"},"device":"cpu","priority":0,"is-implicit":false,"line":3}
            """));
    }
}
