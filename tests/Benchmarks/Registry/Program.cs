using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Dapper;
using Espalier.Registry;
using Espalier.Registry.Tests.Support;
using Espalier.Tests.Servers;

// A registry of 100,000 versions (2,000 models of 50): every page and query over HTTP, on SQLite and on PostgreSQL.
//   dotnet run -c Release --project tests/Benchmarks/Registry [-- sqlite | postgresql | both] [requests]
var which = args.Length > 0 ? args[0] : "both";
var requests = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 200;
const int Models = 2000, VersionsEach = 50;
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
    ("search: two conditions that are never both met", _ => "/api/v1/search?q=experts = 8 and experts = 16"),
    ("storage", _ => "/api/v1/storage"),
    ("MLflow: search models", _ => "/api/2.0/mlflow/registered-models/search"),
    ("MLflow: search versions of a model", r => $"/api/2.0/mlflow/model-versions/search?filter=name = '{RegistrySeed.Model(r.Next(Models))}'"),
    ("MLflow: get version", r => $"/api/2.0/mlflow/model-versions/get?name={RegistrySeed.Model(r.Next(Models))}&version={r.Next(VersionsEach) + 1}"),
];
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
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{database}: {Models * VersionsEach:N0} versions seeded in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s; {requests} requests each\n\n| page or query | p50 ms | p95 ms | max ms |\n|---|---|---|---|"));
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
    Report(name, times);
}

async Task MeasureDeepAsync(HttpClient http, string name, string path)
{
    var times = new List<double>();
    string? cursor = null;
    for (var i = 0; i < requests; i++)
    {
        var started = Stopwatch.GetTimestamp();
        var text = await http.GetStringAsync(cursor is null ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}cursor={cursor}");
        times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        cursor = JsonSerializer.Deserialize<JsonElement>(text).GetProperty("next").GetString();
    }
    Report(name, times);
}

static void Report(string name, List<double> times)
{
    times.Sort();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {times[times.Count / 2]:0.0} | {times[(int)(times.Count * 0.95)]:0.0} | {times[^1]:0.0} |"));
}
