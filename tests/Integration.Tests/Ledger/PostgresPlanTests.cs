using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.Integration.Tests.Distributed;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Ledger;
using Npgsql;

namespace Espalier.Integration.Tests.Ledger;

/// <summary>
/// However many runs have ended, no statement reads them all: the plans that PostgreSQL really ran (auto_explain), and how many rows they
/// looked at. Reading a small table whole may be cheaper than its index, so here that is done only where no index serves. Times are in
/// <c>tests/Benchmarks/Steps</c>.
/// </summary>
[Collection(ServersCollection.Name)]
public sealed class PostgresPlanTests(BrokerAndDatabase servers) : IAsyncLifetime
{
    private const string Explain =
        "set enable_seqscan = off; load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on; "
        + "set auto_explain.log_timing = off; set auto_explain.log_format = json; set client_min_messages = log";

    // Of 10,000 ended runs and 40,000 steps: a page has a hundred of them.
    private const double MostRows = 1000;

    private BusyLedger _ledger = null!;

    public async Task InitializeAsync() => _ledger = await BusyLedger.StartAsync(await servers.Database.NewDatabaseAsync());

    public Task DisposeAsync()
    {
        _ledger.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Request_ManyEndedRuns_LooksAtFewRows()
    {
        var wrong = new List<string>();
        foreach (var (name, request) in BusyLedger.Requests)
        {
            var plans = await RecordAsync(() => request(_ledger));
            plans.ShouldNotBeEmpty(name);
            wrong.AddRange(plans.Where(p => Rows(p.GetProperty("Plan")) > MostRows).Select(p => $"{name}: {p}"));
        }

        wrong.ShouldBeEmpty();
    }

    [Fact]
    public async Task Statement_ReadingEverything_IsNoticed()
    {
        var plans = await RecordAsync(() => _ledger.Fixture.CountAsync("select count(*) from run where message = 'x'"));

        Rows(plans.ShouldHaveSingleItem().GetProperty("Plan")).ShouldBeGreaterThan(BusyLedger.Ended - 1);
    }

    /// <summary>The most rows that any part of a plan looked at, those that it threw away included.</summary>
    private static double Rows(JsonElement node)
    {
        double Of(string property) => node.TryGetProperty(property, out var value) ? value.GetDouble() : 0;
        var own = (Of("Actual Rows") + Of("Rows Removed by Filter") + Of("Rows Removed by Index Recheck")) * Of("Actual Loops");
        return node.TryGetProperty("Plans", out var children) ? children.EnumerateArray().Select(Rows).Append(own).Max() : own;
    }

    private async Task<IReadOnlyList<JsonElement>> RecordAsync(Func<Task> request)
    {
        var plans = new List<JsonElement>();
        _ledger.Fixture.Database.Opened = connection => Look(connection, plans);
        try
        {
            await request();
        }
        finally
        {
            _ledger.Fixture.Database.Opened = null;
        }
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
