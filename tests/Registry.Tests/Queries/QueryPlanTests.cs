using System.Data.Common;
using Dapper;
using Espalier.Registry.Tests.Support;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Espalier.Registry.Tests.Queries;

/// <summary>Every statement behind a page goes by an index: what the database says it will do is looked at, not the clock.</summary>
public sealed class QueryPlanTests : IAsyncLifetime
{
    private readonly List<string> _statements = [];
    private readonly Lock _lock = new();
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        await using var connection = await _server.Get<RegistryDatabase>().OpenAsync(default);
        await RegistrySeed.WriteAsync(connection, models: 50, versionsEach: 100);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("/api/v1/models")]
    [InlineData("/api/v1/models/model-00007")]
    [InlineData("/api/v1/models/model-00007/versions")]
    [InlineData("/api/v1/models/model-00007/versions/50")]
    [InlineData("/api/v1/models/model-00007/versions/50/lineage")]
    [InlineData("/api/v1/models/model-00007/versions/50/signatures")]
    [InlineData("/api/v1/models/model-00007/versions/50/approvals")]
    [InlineData("/api/v1/models/model-00007/aliases/moves")]
    [InlineData("/api/v1/models/model-00007/gates")]
    [InlineData("/api/v1/search?q=")]
    [InlineData("/api/v1/search?q=params.active < 2B and loss < 3.1 order by bytes")]
    [InlineData("/api/v1/search?q=loss < 2.01 order by created desc")]
    [InlineData("/api/v1/search?q=order by loss")]
    [InlineData("/api/v1/search?q=order by params.active desc")]
    [InlineData("/api/v1/search?q=model = model-00007")]
    [InlineData("/api/v1/storage")]
    [InlineData("/api/2.0/mlflow/registered-models/search")]
    [InlineData("/api/2.0/mlflow/registered-models/get?name=model-00007")]
    [InlineData("/api/2.0/mlflow/model-versions/search?filter=name = 'model-00007'")]
    public async Task Page_OfManyVersions_ReadsByIndex(string path)
    {
        using var http = _server.Client();
        var first = await RecordAsync(http, path);
        var pages = first.Body.TryGetProperty("next", out var next) && next.ValueKind == System.Text.Json.JsonValueKind.String
            ? (await RecordAsync(http, $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}cursor={next.GetString()}")).Statements
            : [];

        var plans = await ExplainAsync([.. first.Statements, .. pages]);

        plans.ShouldNotBeEmpty();
        plans.Where(p => IsWholeTable(p.Step)).Select(p => $"{p.Step}: {p.Statement}").ShouldBeEmpty();
    }

    /// <summary>A scan of a table that grows with the registry and that no index orders.</summary>
    private static bool IsWholeTable(string step) =>
        step.StartsWith("SCAN ", StringComparison.Ordinal) && !step.Contains("USING", StringComparison.Ordinal)
            && step.Split(' ')[1] is "v" or "f" or "m" or "t" or "o" or "registry_version" or "registry_fact" or "registry_model" or "registry_tag" or "registry_alias" or "registry_alias_move" or "registry_edge" or "registry_artifact" or "registry_event" or "s";

    private async Task<(System.Text.Json.JsonElement Body, IReadOnlyList<string> Statements)> RecordAsync(HttpClient http, string path)
    {
        var database = _server.Get<RegistryDatabase>();
        _statements.Clear();
        database.Opened = connection => raw.sqlite3_trace(((SqliteConnection)connection).Handle, (_, statement) =>
        {
            lock (_lock)
                _statements.Add(statement);
        }, null);
        var body = await http.GetJsonAsync(path);
        database.Opened = connection => raw.sqlite3_trace(((SqliteConnection)connection).Handle, (strdelegate_trace)null!, null);
        lock (_lock)
            return (body, [.. _statements.Where(s => s.StartsWith("select", StringComparison.Ordinal) || s.StartsWith("with", StringComparison.Ordinal))]);
    }

    private async Task<IReadOnlyList<(string Step, string Statement)>> ExplainAsync(IReadOnlyList<string> statements)
    {
        await using DbConnection connection = await _server.Get<RegistryDatabase>().OpenAsync(default);
        var steps = new List<(string, string)>();
        foreach (var statement in statements)
            steps.AddRange((await connection.QueryAsync<(long, long, long, string Detail)>($"explain query plan {statement}")).Select(s => (s.Detail, statement)));
        return steps;
    }
}
