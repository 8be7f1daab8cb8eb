using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Servers;
using Npgsql;

namespace Espalier.Registry.Tests.Queries;

/// <summary>
/// The same on PostgreSQL, by the plans that it really ran (auto_explain). Reading a small table whole is cheaper than any index,
/// so here it may do that only where no index serves; what it chooses for 100,000 versions the benchmark shows.
/// </summary>
public sealed class PostgresPlanTests(PostgresPlanTests.Fixture fixture) : IClassFixture<PostgresPlanTests.Fixture>
{
    private const string Explain =
        "set enable_seqscan = off; load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on; "
        + "set auto_explain.log_timing = off; set auto_explain.log_format = json; set client_min_messages = log";

    // Tables that have a row or more for each version. A model's row may be found by reading fifty.
    private static readonly string[] Growing =
    [
        "registry_version", "registry_card", "registry_fact", "registry_tag", "registry_alias_move", "registry_artifact", "registry_edge",
        "registry_event", "registry_storage",
    ];

    public sealed class Fixture : IAsyncLifetime
    {
        private readonly PostgresServer _server = new();

        public SeededRegistry Registry { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            await _server.InitializeAsync();
            Registry = await SeededRegistry.StartAsync(await _server.NewDatabaseAsync());
        }

        public async Task DisposeAsync()
        {
            await Registry.DisposeAsync();
            await _server.DisposeAsync();
        }
    }

    [Theory]
    [ClassData(typeof(HotPages))]
    public async Task Page_OfManyVersions_ReadsByIndex(string path)
    {
        var plans = await RecordAsync(path);

        plans.ShouldNotBeEmpty();
        plans.SelectMany(p => Scans(p.GetProperty("Plan")).Select(scan => $"{scan}: {p.GetProperty("Query Text")}")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Statement_ReadingEverything_IsNoticed()
    {
        var plans = new List<JsonElement>();
        await using (var connection = await fixture.Registry.Database.OpenAsync(default))
        {
            Look(connection, plans);
            await connection.QueryAsync("select * from registry_version where description = 'x'");
        }

        plans.SelectMany(p => Scans(p.GetProperty("Plan"))).ShouldNotBeEmpty();
    }

    /// <summary>Whole tables that a plan reads.</summary>
    private static IEnumerable<string> Scans(JsonElement node)
    {
        var isRun = node.GetProperty("Actual Loops").GetInt64() > 0;
        if (isRun && node.GetProperty("Node Type").GetString() == "Seq Scan"
            && node.GetProperty("Relation Name").GetString() is { } table && Growing.Contains(table))
            yield return $"reads all of {table}";
        if (!node.TryGetProperty("Plans", out var children))
            yield break;
        foreach (var scan in children.EnumerateArray().SelectMany(Scans))
            yield return scan;
    }

    private async Task<IReadOnlyList<JsonElement>> RecordAsync(string path)
    {
        var plans = new List<JsonElement>();
        await fixture.Registry.AskAsync(path, connection => Look(connection, plans), _ => { });
        lock (plans)
            return [.. plans];
    }

    private static void Look(DbConnection connection, List<JsonElement> plans)
    {
        connection.Execute(Explain);
        ((NpgsqlConnection)connection).Notice += (_, e) =>
        {
            if (e.Notice.MessageText.IndexOf('{', StringComparison.Ordinal) is var start && start > 0)
                lock (plans)
                    plans.Add(JsonSerializer.Deserialize<JsonElement>(e.Notice.MessageText[start..]));
        };
    }
}
