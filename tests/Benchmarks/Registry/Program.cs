using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Dapper;
using Espalier.Registry;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Registry;
using Npgsql;

// A registry of 100,000 versions (2,000 models of 50): every page and query over HTTP, on SQLite and on PostgreSQL.
//   dotnet run -c Release --project tests/Benchmarks/Registry [-- sqlite | postgresql | both] [requests] [models]
var which = args.Length > 0 ? args[0] : "both";
var requests = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 200;
var Models = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 2000;
const int VersionsEach = 50;
(string Name, Func<Random, string> Path)[] pages =
[
    ("models, first page", _ => "/api/v1/models"),
    ("models, by part of the name", r => $"/api/v1/models?q={r.Next(Models)}"),
    ("model", r => $"/api/v1/models/{RegistrySeed.Model(r.Next(Models))}"),
    ("versions of a model", r => $"/api/v1/models/{RegistrySeed.Model(r.Next(Models))}/versions"),
    ("version", r => $"/api/v1/models/{RegistrySeed.Model(r.Next(Models))}/versions/{r.Next(VersionsEach) + 1}"),
    ("lineage, up to 50 generations", r => $"/api/v1/models/{RegistrySeed.Model(r.Next(Models))}/versions/{r.Next(VersionsEach) + 1}/lineage"),
    ("alias moves", r => $"/api/v1/models/{RegistrySeed.Model(r.Next(Models))}/aliases/moves"),
    ("gates", r => $"/api/v1/models/{RegistrySeed.Model(r.Next(Models))}/gates"),
    ("search: everything", _ => "/api/v1/search?q="),
    ("search: params.active < 2B and loss < 3.1 order by bytes", _ => "/api/v1/search?q=params.active < 2B and loss < 3.1 order by bytes"),
    ("search: rare loss, newest", r => $"/api/v1/search?q=loss < {2 + r.NextDouble() / 50} order by created desc"),
    ("search: order by loss", _ => "/api/v1/search?q=order by loss"),
    ("search: one model", r => $"/api/v1/search?q=model = {RegistrySeed.Model(r.Next(Models))}"),
    ("search: tag", r => $"/api/v1/search?q=tag.team = team-{r.Next(50)}"),
    ("search: two facts that are never both met", _ => "/api/v1/search?q=experts = 8 and layers = 12"),
    ("search: two metrics that are hardly ever both met", _ => "/api/v1/search?q=loss < 2.2 and accuracy < 2.2"),
    ("search: three metrics that are never all met", _ => "/api/v1/search?q=loss < 3 and accuracy > 4 and perplexity < 0 or loss < 0"),
    ("search: part of a text that none has", _ => "/api/v1/search?q=origin ~ nowhere"),
    ("storage", _ => "/api/v1/storage"),
    ("MLflow: search models", _ => "/api/2.0/mlflow/registered-models/search"),
    ("MLflow: search versions of a model", r => $"/api/2.0/mlflow/model-versions/search?filter=name = '{RegistrySeed.Model(r.Next(Models))}'"),
    ("MLflow: search versions by tag", r => $"/api/2.0/mlflow/model-versions/search?filter=tags.team = 'team-{r.Next(50)}'"),
    ("MLflow: get version", r => $"/api/2.0/mlflow/model-versions/get?name={RegistrySeed.Model(r.Next(Models))}&version={r.Next(VersionsEach) + 1}"),
];
Func<Task<long?>> scans = () => Task.FromResult<long?>(null);
if (which is "sqlite" or "both")
    await MeasureAsync("SQLite", null);
if (which is "postgresql" or "both")
{
    var postgres = new PostgresServer();
    await postgres.InitializeAsync();
    try
    {
        await MeasureAsync("PostgreSQL", await postgres.NewDatabaseAsync());
    }
    finally
    {
        await postgres.DisposeAsync();
    }
}

async Task MeasureAsync(string database, string? connection)
{
    await using var server = await RegistryServer.StartAsync(options => options.Database = connection ?? options.Database);
    var started = Stopwatch.GetTimestamp();
    await using (var open = await server.Get<RegistryDatabase>().OpenAsync(default))
    {
        await RegistrySeed.WriteAsync(open, Models, VersionsEach);
        if (connection is not null)
            await open.ExecuteAsync("vacuum analyze"); // what the server does by itself after a while
    }
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"\n{database}: {Models * VersionsEach:N0} versions seeded in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s; {requests} requests each\n"));
    Console.WriteLine("| page or query | p50 ms | p95 ms | max ms | CPU ms a request | rows of whole-table scans a request |\n|---|---|---|---|---|---|");
    scans = connection is null ? () => Task.FromResult<long?>(null) : () => ScannedAsync(connection);
    using var http = server.Client();
    foreach (var (name, path) in pages)
        await MeasurePageAsync(http, name, path);
    await MeasureDeepAsync(http, "models, page after page", "/api/v1/models");
    await MeasureDeepAsync(http, "search order by bytes, page after page", "/api/v1/search?q=order by bytes");
}

async Task MeasurePageAsync(HttpClient http, string name, Func<Random, string> path)
{
    var random = new Random(1);
    var times = new List<double>();
    var before = await UsedAsync();
    for (var i = -5; i < requests; i++)
    {
        var started = Stopwatch.GetTimestamp();
        using var answer = await http.GetAsync(path(random));
        await answer.Content.ReadAsByteArrayAsync();
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException($"{name}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        if (i >= 0)
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }
    Report(name, times, before, await UsedAsync(), requests + 5);
}

async Task MeasureDeepAsync(HttpClient http, string name, string path)
{
    var times = new List<double>();
    string? cursor = null;
    var before = await UsedAsync();
    for (var i = 0; i < requests; i++)
    {
        var started = Stopwatch.GetTimestamp();
        var text = await http.GetStringAsync(cursor is null ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}cursor={cursor}");
        times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        cursor = JsonSerializer.Deserialize<JsonElement>(text).GetProperty("next").GetString();
    }
    Report(name, times, before, await UsedAsync(), requests);
}

// What PostgreSQL says it read by sequential scans of tables that grow with versions; its sessions say so at their end.
async Task<long?> ScannedAsync(string connection)
{
    NpgsqlConnection.ClearAllPools();
    await Task.Delay(500);
    await using var open = new NpgsqlConnection(connection);
    return await open.ExecuteScalarAsync<long>("""
        select coalesce(sum(seq_tup_read), 0)::bigint from pg_stat_user_tables
        where relname in ('registry_version', 'registry_card', 'registry_fact', 'registry_tag', 'registry_alias_move',
                          'registry_artifact', 'registry_edge', 'registry_event', 'registry_storage')
        """);
}

// Processor time depends little on what else the machine does: that of this process, which is client, server and SQLite in one.
async Task<(long? Scanned, TimeSpan Cpu)> UsedAsync() => (await scans(), Environment.CpuUsage.TotalTime);

static void Report(string name, List<double> times, (long? Scanned, TimeSpan Cpu) before, (long? Scanned, TimeSpan Cpu) after, int requests)
{
    times.Sort();
    var scanned = after.Scanned is null ? "-" : string.Create(CultureInfo.InvariantCulture, $"{(after.Scanned - before.Scanned) / requests:N0}");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"| {name} | {times[times.Count / 2]:0.0} | {times[(int)(times.Count * 0.95)]:0.0} | {times[^1]:0.0} "
        + $"| {(after.Cpu - before.Cpu).TotalMilliseconds / requests:0.0} | {scanned} |"));
}
