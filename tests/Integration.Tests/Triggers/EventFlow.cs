using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Registry;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Espalier.Integration.Tests.Triggers;

/// <summary>
/// Registry and orchestrator as processes over RabbitMQ and PostgreSQL, and a pipeline that each version of the model 'demo' starts. Its
/// runs stay queued: no worker is there.
/// </summary>
internal sealed class EventFlow : IAsyncDisposable
{
    private const string Pipeline =
        """
        name: each-version
        params: { text: none }
        on:
          model.registered: { model: demo, params: { text: "v${event.version}" } }
        stages: { a: { uses: noop, with: { text: "${text}" } } }
        """;

    private readonly BrokerAndDatabase _servers;
    private readonly string _registryDatabase;
    private readonly ModelRegistry _models;

    private EventFlow(BrokerAndDatabase servers, DistributedPlatform platform, string registryDatabase)
    {
        (_servers, Platform, _registryDatabase) = (servers, platform, registryDatabase);
        _models = new ModelRegistry(new RegistryDatabase(new RegistryOptions { Database = registryDatabase }), TimeProvider.System);
    }

    public DistributedPlatform Platform { get; }

    public ServiceProcess Registry { get; private set; } = null!;

    /// <summary>Versions that were registered.</summary>
    public int Registered { get; private set; }

    public static async Task<EventFlow> StartAsync(BrokerAndDatabase servers)
    {
        var flow = new EventFlow(servers, await DistributedPlatform.StartAsync(servers), await servers.Database.NewDatabaseAsync());
        await flow.StartRegistryAsync();
        var worker = await flow.Platform.StartWorkerAsync();
        await flow.Platform.StagesAsync("noop");
        await worker.KillAsync();
        using var added = await flow.Platform.Client.PutAsync("/api/v1/pipelines/each-version?file=each-version.yaml", new StringContent(Pipeline));
        added.IsSuccessStatusCode.ShouldBeTrue(await added.Content.ReadAsStringAsync());
        return flow;
    }

    public ValueTask DisposeAsync() => Platform.DisposeAsync();

    public async Task StartRegistryAsync() =>
        Registry = await Platform.StartWorkerAsync("services/Registry", ("registry:database", _registryDatabase));

    public async Task RegisterAsync()
    {
        var step = Digest.Of(System.Text.Encoding.UTF8.GetBytes($"step {Registered}"));
        await _models.RegisterAsync(
            new NewVersion { Model = "demo", Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 1), StepKey = step }, default);
        Registered++;
    }

    /// <summary>Registers versions at a pace; a machine that falls behind catches up.</summary>
    public async Task RegisterAsync(int number, TimeSpan apart)
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < number; i++)
        {
            await RegisterAsync();
            if (apart * (i + 1) - clock.Elapsed is { Ticks: > 0 } early)
                await Task.Delay(early);
        }
    }

    /// <summary>The same step registers once, however often it is tried.</summary>
    public async Task RegisterStubbornlyAsync()
    {
        for (var limit = Stopwatch.StartNew(); ;)
        {
            try
            {
                await RegisterAsync();
                return;
            }
            catch (NpgsqlException) when (limit.Elapsed < TimeSpan.FromMinutes(1))
            {
                await Task.Delay(100);
            }
        }
    }

    /// <summary>Publishes events a second time, as an outbox does whose process died before it forgot them.</summary>
    public async Task TellAgainAsync(int number)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddEspalierBus(
            new MessagingOptions { Transport = MessagingTransport.RabbitMq, Broker = _servers.Broker.Address }, _ => { });
        using var host = builder.Build();
        await host.StartAsync();
        var bus = host.Services.GetRequiredService<IBus>();
        await using var source = NpgsqlDataSource.Create(_registryDatabase);
        await using var command = source.CreateCommand("select body from registry_event order by id desc limit $1");
        command.Parameters.AddWithValue(number);
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
            await bus.Publish(JsonSerializer.Deserialize<ModelRegistered>(rows.GetString(0), WireJson.Options)!);
        await host.StopAsync();
    }

    public async Task RunsAsync(int number)
    {
        for (var limit = Stopwatch.StartNew(); await LedgerAsync("select count(*) from run") < number;)
        {
            limit.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(3), $"{await LedgerAsync("select count(*) from run")} of {number} runs\n{Platform.Log}");
            await Task.Delay(200);
        }
    }

    /// <summary>From the registration to the run that it started, in milliseconds, shortest first; without the first runs.</summary>
    public async Task<IReadOnlyList<double>> DelaysAsync(int first = 0)
    {
        var registered = new Dictionary<string, DateTimeOffset>();
        await using (var source = NpgsqlDataSource.Create(_registryDatabase))
        {
            await using var command = source.CreateCommand("select body, created_at from registry_event");
            await using var rows = await command.ExecuteReaderAsync();
            while (await rows.ReadAsync())
            {
                var version = JsonDocument.Parse(rows.GetString(0)).RootElement.GetProperty("version").GetInt32();
                registered[$$"""{"text":"v{{version}}"}"""] = DateTimeOffset.Parse(rows.GetString(1), CultureInfo.InvariantCulture);
            }
        }
        var delays = new List<double>();
        await using var ledger = NpgsqlDataSource.Create(Platform.Database);
        await using var runs = ledger.CreateCommand($"select parameters, created_at from run where number > {first}");
        await using var started = await runs.ExecuteReaderAsync();
        while (await started.ReadAsync())
            delays.Add(started.GetInt64(1) - registered[started.GetString(0)].ToUnixTimeMilliseconds());
        delays.Sort();
        return delays;
    }

    /// <summary>The part of it that is the orchestrator's own: from the event in the ledger to its run.</summary>
    public Task<long> LedgerDelayAsync(int first = 0) => LedgerAsync(
        $"""
        select cast(percentile_disc(0.95) within group (order by r.created_at - e.at) as bigint)
          from run r join run_origin o on o.run_id = r.id join trigger_event e on e.id = o.event_id where r.number > {first}
        """);

    public Task<long> LedgerAsync(string sql) => ReadAsync(Platform.Database, sql);

    public Task<long> RegistryAsync(string sql) => ReadAsync(_registryDatabase, sql);

    private static async Task<long> ReadAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }
}
