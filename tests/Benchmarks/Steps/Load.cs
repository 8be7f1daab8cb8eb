using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using Dapper;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Espalier.TestKit.Services.Ledger;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Espalier.Benchmarks.Steps;

/// <summary>What is loaded, and how long.</summary>
/// <param name="Ended">Ended runs in the ledger.</param>
/// <param name="Open">Runs under way.</param>
/// <param name="Workers">Simulated workers, one slot each.</param>
/// <param name="Seconds">How long it is measured, after a warm-up of a quarter of it.</param>
/// <param name="IsSqlite">SQLite instead of PostgreSQL.</param>
/// <param name="Service">Folder of the orchestrator's project: another version's, to compare.</param>
internal sealed record LoadSize(int Ended, int Open, int Workers, int Seconds, bool IsSqlite, string Service);

/// <summary>
/// A real orchestrator process over RabbitMQ, with very many ended runs in its ledger, a thousand under way, a hundred workers that claim,
/// beat and finish, and people who look at lists and pages.
/// </summary>
internal static class Load
{
    private const string Key = "esp_test_0123456789abcdef";
    private const int WorkersOfABus = 10;

    public static async Task MeasureAsync(Places places, LoadSize size)
    {
        var folder = Directory.CreateTempSubdirectory("load-");
        var connection = size.IsSqlite ? $"Data Source={Path.Combine(folder.FullName, "ledger.db")}" : await places.Database.NewDatabaseAsync();
        try
        {
            await (await StartAsync(places, size, folder, connection)).DisposeAsync(); // makes the schema
            await SeedAsync(size, connection);
            await using var orchestrator = await StartAsync(places, size, folder, connection);
            await MeasureAsync(places, size, orchestrator);
        }
        finally
        {
            SqliteConnection.ClearAllPools();
            folder.Delete(recursive: true);
        }
    }

    private static async Task MeasureAsync(Places places, LoadSize size, ServiceProcess orchestrator)
    {
        using var http = new HttpClient { BaseAddress = orchestrator.Address, Timeout = TimeSpan.FromSeconds(100) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        var (latencies, runs) = (new Latencies(), new LoadRuns(http));
        await using var buses = await LoadBuses.JoinAsync(places, (size.Workers + WorkersOfABus - 1) / WorkersOfABus);
        var workers = buses.All.Select(bus => new LoadWorkers(bus, latencies, runs)).ToList();
        foreach (var each in workers)
            await each.GreetAsync();
        var clock = Stopwatch.StartNew();
        await runs.SubmitAsync(size.Open);
        Say($"{size.Open} runs submitted in {clock.Elapsed.TotalSeconds:0} s; load {LoadAverage()} before");

        using var stop = new CancellationTokenSource();
        var memory = new LoadMemory(await orchestrator.Id);
        var work = Enumerable.Range(0, size.Workers).Select(i => workers[i / WorkersOfABus].RunAsync(i, stop.Token))
            .Concat(new LoadReaders(http, size.Ended, latencies, runs).Start(stop.Token)).ToList();
        await Task.Delay(TimeSpan.FromSeconds(size.Seconds / 4.0));
        latencies.Clear();
        var (finished, used, began) = (workers.Sum(w => w.Finished), memory.Processor(), Stopwatch.GetTimestamp());
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(size.Seconds))
        {
            memory.Take();
            await Task.Delay(2000);
        }
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        finished = workers.Sum(w => w.Finished) - finished;
        used = memory.Processor() - used;
        await stop.CancelAsync();
        await Task.WhenAll(work).WaitAsync(TimeSpan.FromMinutes(2));
        Say($"""
            {(size.IsSqlite ? "SQLite" : "PostgreSQL")}, {size.Ended:N0} ended runs, {size.Open:N0} under way, {size.Workers} workers, {seconds:0} s:
            {finished / seconds:0.0} steps/s; the orchestrator used {100 * used.TotalSeconds / seconds:0} % of a core; load {LoadAverage()} after
            """);
        latencies.Say();
        memory.Say();
    }

    private static Task<ServiceProcess> StartAsync(Places places, LoadSize size, DirectoryInfo folder, string connection) =>
        ServiceProcess.StartAsync(size.Service, new Dictionary<string, string>
        {
            ["messaging:transport"] = "rabbit-mq",
            ["messaging:broker"] = places.Broker.Address.ToString(),
            ["store:location"] = $"file:{Path.Combine(folder.FullName, "store")}",
            ["orchestrator:provider"] = size.IsSqlite ? "sqlite" : "postgre-sql",
            ["orchestrator:connection"] = connection,
            ["orchestrator-api:key"] = Key,
        });

    private static async Task SeedAsync(LoadSize size, string connection)
    {
        var clock = Stopwatch.StartNew();
        await using System.Data.Common.DbConnection open = size.IsSqlite ? new SqliteConnection(connection) : new NpgsqlConnection(connection);
        await open.OpenAsync();
        await LedgerSeed.WriteAsync(open, size.Ended, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        if (!size.IsSqlite)
            await open.ExecuteAsync("vacuum analyze", commandTimeout: 600); // what the server does by itself after a while
        Say($"{size.Ended:N0} ended runs of four steps written in {clock.Elapsed.TotalSeconds:0} s");
    }

    private static string LoadAverage() => string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ').Take(2));

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
