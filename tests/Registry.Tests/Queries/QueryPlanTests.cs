using System.Data.Common;
using System.Text.RegularExpressions;
using Dapper;
using Espalier.Registry.Tests.Support;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Espalier.Registry.Tests.Queries;

/// <summary>Every statement behind a page goes by an index on SQLite: what the database says it will do is looked at, not the clock.</summary>
public sealed partial class QueryPlanTests(QueryPlanTests.Fixture fixture) : IClassFixture<QueryPlanTests.Fixture>
{
    // Tables that grow with the registry, and what statements call them.
    private static readonly string[] Growing =
    [
        "v", "w", "f", "o", "m", "t", "s", "registry_model", "registry_version", "registry_card", "registry_fact", "registry_tag",
        "registry_alias", "registry_alias_move", "registry_artifact", "registry_edge",
        "registry_event", "registry_storage", "registry_report", "registry_decision", "registry_approval", "registry_signature",
    ];

    // A search whose conditions are at odds with its order reads this one index whole: a fifth of the table, and made for that.
    private const string SearchIndex = "USING COVERING INDEX registry_version_facts";

    public sealed class Fixture : IAsyncLifetime
    {
        public SeededRegistry Registry { get; private set; } = null!;

        public async Task InitializeAsync() => Registry = await SeededRegistry.StartAsync();

        public async Task DisposeAsync() => await Registry.DisposeAsync();
    }

    [Theory]
    [ClassData(typeof(HotPages))]
    public async Task Page_OfManyVersions_ReadsByIndex(string path)
    {
        var statements = await RecordAsync(path);

        statements.ShouldNotBeEmpty();
        var wrong = new List<string>();
        foreach (var statement in statements)
            wrong.AddRange((await ExplainAsync(statement)).Select(step => $"{step}: {statement}"));
        wrong.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("select * from registry_version where description = 'x'")] // a whole table
    [InlineData("select name from registry_version v order by description limit 1")] // sorted whole
    [InlineData("select v.id from registry_version v order by v.id")] // by an index, but without an end
    [InlineData("select e.child from registry_version v, registry_edge e where e.child = v.description order by v.id")]
    [InlineData("select v.id from registry_version v where +v.loss < 3")] // the search's index, but not for a page
    public async Task Statement_ReadingEverything_IsNoticed(string statement) =>
        (await ExplainAsync(statement)).ShouldNotBeEmpty();

    /// <summary>Steps that read all of a table that grows: a scan without an index, or along one without stopping at the end of a page.</summary>
    private async Task<IReadOnlyList<string>> ExplainAsync(string statement)
    {
        await using DbConnection connection = await fixture.Registry.Database.OpenAsync(default);
        var steps = (await connection.QueryAsync<(long, long, long, string Detail)>($"explain query plan {statement}")).Select(s => s.Detail).ToList();
        var isPage = statement.Contains(" limit ", StringComparison.Ordinal);
        var stops = isPage && !steps.Any(s => s.Contains("TEMP B-TREE FOR ORDER BY", StringComparison.Ordinal));
        return [.. steps.Where(step => Scan().Match(step) is { Success: true } scan && Growing.Contains(scan.Groups[1].Value) 
            && !(stops && step.Contains("USING", StringComparison.Ordinal)) && !(isPage && step.Contains(SearchIndex, StringComparison.Ordinal)))];
    }

    private async Task<IReadOnlyList<string>> RecordAsync(string path)
    {
        var statements = new List<string>();
        await fixture.Registry.AskAsync(
            path,
            connection => raw.sqlite3_trace(((SqliteConnection)connection).Handle, (_, statement) =>
            {
                lock (statements)
                    statements.Add(statement);
            }, null),
            connection => raw.sqlite3_trace(((SqliteConnection)connection).Handle, (strdelegate_trace)null!, null));
        lock (statements)
            return [.. statements.Where(s => s.StartsWith("select", StringComparison.Ordinal) || s.StartsWith("with", StringComparison.Ordinal)).Distinct()];
    }

    [GeneratedRegex(@"\ASCAN (\w+)")]
    private static partial Regex Scan();
}
