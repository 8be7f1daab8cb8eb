using System.Data.Common;
using System.Text.RegularExpressions;
using Dapper;
using Espalier.TestKit.Services.Ledger;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>
/// However many runs have ended, no statement reads them all: what SQLite says it will do is looked at, not the clock. The same for
/// PostgreSQL is in the integration tests; times are in <c>tests/Benchmarks/Steps</c>.
/// </summary>
public sealed partial class QueryPlanTests(QueryPlanTests.Fixture fixture) : IClassFixture<QueryPlanTests.Fixture>
{
    // Tables that grow with ended runs, and what statements call them.
    private static readonly string[] Growing =
        ["run", "r", "step", "s", "step_need", "n", "event", "run_origin", "o", "trigger_event", "trigger_firing", "run_archive"];

    // Indexes that hold only what is under way: reading one whole is reading what is to be done.
    private static readonly string[] UnderWay =
    [
        "step_claimable", "step_offered", "step_leased", "step_held", "step_to_prepare", "step_under_way", "step_same_as", "step_put_off", "run_cancelling",
    ];

    public sealed class Fixture : IAsyncLifetime
    {
        internal BusyLedger Ledger { get; private set; } = null!;

        public async Task InitializeAsync() => Ledger = await BusyLedger.StartAsync();

        public Task DisposeAsync()
        {
            Ledger.Dispose();
            return Task.CompletedTask;
        }
    }

    public static TheoryData<string> Requests => [.. BusyLedger.Requests.Keys];

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task Request_ManyEndedRuns_ReadsByIndex(string request)
    {
        var statements = await RecordAsync(() => BusyLedger.Requests[request](fixture.Ledger));

        statements.ShouldNotBeEmpty();
        var wrong = new List<string>();
        foreach (var statement in statements)
            wrong.AddRange((await ExplainAsync(statement)).Select(step => $"{step}: {statement}"));
        wrong.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("select * from run where message = 'x'")]
    [InlineData("select * from run order by message limit 1")]
    [InlineData("update step set not_before = 0 where state in ('ready', 'waiting') and not_before > 5")]
    [InlineData("select id from run order by number")]
    public async Task Statement_ReadingEverything_IsNoticed(string statement) => (await ExplainAsync(statement)).ShouldNotBeEmpty();

    [Fact]
    public async Task List_OfMoreRuns_TakesNoMoreStatements() =>
        (await CountAsync(() => fixture.Ledger.Fixture.Reader.ListAsync(new() { Limit = 500 }, default)))
            .ShouldBe(await CountAsync(() => fixture.Ledger.Fixture.Reader.ListAsync(new() { Limit = 5 }, default)));

    [Fact]
    public async Task RunPage_OfMoreSteps_TakesNoMoreStatements()
    {
        var ledger = fixture.Ledger.Fixture;
        var few = await ledger.SubmitAsync("a", "b: a");
        var many = await ledger.SubmitAsync([.. Enumerable.Range(0, 200).Select(i => $"s{i}"), "last: s0 s1 s2"]);

        (await CountAsync(() => ledger.RunAsync(many))).ShouldBe(await CountAsync(() => ledger.RunAsync(few)));
    }

    [Fact]
    public async Task Claim_OfMoreReadySteps_TakesNoMoreStatements()
    {
        using var ledger = await BusyLedger.StartAsync(ended: 100);
        var one = await CountAsync(() => ledger.Fixture.ClaimAsync("first"), ledger);
        await ledger.Fixture.SubmitAsync([.. Enumerable.Range(0, 300).Select(i => $"s{i}")]);
        await ledger.Fixture.PrepareAsync();

        (await CountAsync(() => ledger.Fixture.ClaimAsync("second"), ledger)).ShouldBeLessThanOrEqualTo(one);
    }

    /// <summary>Steps that read all of a table that grows: a scan without an index, or along one without stopping at the end of a page.</summary>
    private async Task<IReadOnlyList<string>> ExplainAsync(string statement)
    {
        await using DbConnection connection = await fixture.Ledger.Fixture.Database.OpenAsync(default);
        var steps = (await connection.QueryAsync<(long, long, long, string Detail)>($"explain query plan {statement}")).Select(s => s.Detail).ToList();
        var stops = statement.Contains(" limit ", StringComparison.Ordinal)
            && !steps.Any(s => s.Contains("TEMP B-TREE FOR ORDER BY", StringComparison.Ordinal));
        return
        [
            .. steps.Where(step => Scan().Match(step) is { Success: true } scan && Growing.Contains(scan.Groups[1].Value)
                && !(stops && step.Contains("USING", StringComparison.Ordinal)) && !UnderWay.Any(i => step.EndsWith($" {i}", StringComparison.Ordinal))),
        ];
    }

    private Task<int> CountAsync(Func<Task> request) => CountAsync(request, fixture.Ledger);

    private static async Task<int> CountAsync(Func<Task> request, BusyLedger ledger) => (await RecordAsync(request, ledger)).Count;

    private async Task<IReadOnlyList<string>> RecordAsync(Func<Task> request) => [.. (await RecordAsync(request, fixture.Ledger)).Distinct()];

    private static async Task<IReadOnlyList<string>> RecordAsync(Func<Task> request, BusyLedger ledger)
    {
        var statements = new List<string>();
        ledger.Fixture.Database.Opened = connection => raw.sqlite3_trace(((SqliteConnection)connection).Handle, (_, statement) =>
        {
            lock (statements)
                statements.Add(statement);
        }, null);
        try
        {
            await request();
        }
        finally
        {
            ledger.Fixture.Database.Opened = connection => raw.sqlite3_trace(((SqliteConnection)connection).Handle, (strdelegate_trace)null!, null);
        }
        lock (statements)
            return [.. statements.Where(s => Statement().IsMatch(s))];
    }

    [GeneratedRegex(@"\ASCAN (\w+)")]
    private static partial Regex Scan();

    [GeneratedRegex(@"\A\s*(select|update|insert|delete|with)\b")]
    private static partial Regex Statement();
}
