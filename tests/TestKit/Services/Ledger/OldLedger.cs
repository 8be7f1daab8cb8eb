using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>A database as an older version left it, with a row in every table, then migrated.</summary>
internal static class OldLedger
{
    private const string Plan =
        """
        {"name":"a","kind":"noop","device":"cpu","options":{},"needs":[],"inputs":[],
        "retry":{"attempts":3,"backoff":"00:00:01"},"priority":3}
        """;

    /// <summary>Every version but the newest.</summary>
    public static TheoryData<int> Versions => [.. Numbers.Where(n => n < Newest)];

    public static int Newest => Numbers.Max();

    private static IEnumerable<int> Numbers => typeof(OrchestratorOptions).Assembly.GetManifestResourceNames()
        .Where(n => n.StartsWith("migrations/", StringComparison.Ordinal))
        .Select(n => int.Parse(n["migrations/".Length..].Split('-')[0], System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Writes rows under the old schema, migrates, and checks that every one is still there.</summary>
    public static async Task MigrateAsync(LedgerDatabase database, int version)
    {
        var run = Guid.Parse("0199c2f4-0000-7000-8000-000000000001");
        await database.MigrateAsync(default, version);
        await database.WriteAsync(async transaction =>
        {
            await transaction.ExecuteAsync(
                "insert into run (id, name, file_name, pipeline, parameters, state, open_steps, created_at) values (@run, 'old', "
                    + "'old.yaml', 'name: old', '{}', 'running', 1, 5)",
                new { run = run.ToString() });
            await transaction.ExecuteAsync(
                """
                insert into step (run_id, name, position, kind, device, priority, run_created_at, plan, state, waiting_on, attempt, message)
                values (@run, 'a', 0, 'noop', 'cpu', 3, 5, @plan, 'ready', 0, 2, 'kept')
                """, new { run = run.ToString(), plan = Plan });
            await transaction.ExecuteAsync("insert into step_need (run_id, name, needs) values (@run, 'b', 'a')", new { run = run.ToString() });
            await transaction.ExecuteAsync("insert into outbox (destination, type, body, not_before) values ('', 'RunStateChanged', '{}', 7)");
            await transaction.ExecuteAsync(
                "insert into stage (kind, device, version, numerics_class, schema, first_seen_at, advertised_at) values ('noop', 'cpu', "
                    + "'1', 'any', '{}', 1, 2)");
            await transaction.ExecuteAsync(
                "insert into event (run_id, at, type, step, body) values (@run, 6, 'RunStateChanged', '', '{}')", new { run = run.ToString() });
            await transaction.ExecuteAsync(
                "insert into api_key (hash, name, role, created_at) values (@hash, 'ci', 'submitter', 8)", new { hash = Digest.Of("key"u8).Hex });
            return 0;
        }, default);

        await database.MigrateAsync(default);

        (await database.ReadAsync(c => c.ExecuteScalarAsync<int>("select max(version) from schema_version"), default)).ShouldBe(Newest);
        var reader = new RunReader(database, new StepWaits(database, new StageCatalog(database, new Wakeups(), new()), new()));
        var kept = (await reader.FindAsync(run, default))!;
        (kept.Name, kept.State, kept.Steps.ShouldHaveSingleItem().Message, kept.Steps[0].Attempts).ShouldBe(("old", RunState.Running, "kept", 2));
        kept.Label.ShouldBe(version < 13 ? "old#1" : run.ToString("N"), "what is written under the newest schema has its number from the writer");
        (await reader.ReadLogAsync(run, 0, 10, default)).ShouldHaveSingleItem().Type.ShouldBe("RunStateChanged");
        (await new ApiKeys(database).FindRoleAsync("key", default)).ShouldBe(Espalier.Hosting.Authentication.ApiRole.Submitter);
        foreach (var table in new[] { "step_need", "outbox", "stage" })
            (await database.ReadAsync(c => c.ExecuteScalarAsync<long>($"select count(*) from {table}"), default)).ShouldBe(1, table);
    }
}
