using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Integration.Tests.Distributed;
using Espalier.Messaging;
using Espalier.Registry;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit.Abstractions;

namespace Espalier.Integration.Tests.Triggers;

/// <summary>
/// Registry and orchestrator as processes over RabbitMQ and PostgreSQL: models are registered while each of the four is killed in turn,
/// and messages are told again.
/// </summary>
[Collection(ServersCollection.Name)]
public sealed class When_everything_is_killed_while_events_come(BrokerAndDatabase servers, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Calm = 100, Batch = 100, Batches = 9;
    private const string Pipeline =
        """
        name: each-version
        params: { text: none }
        on:
          model.registered: { model: demo, params: { text: "v${event.version}" } }
        stages: { a: { uses: noop, with: { text: "${text}" } } }
        """;

    private DistributedPlatform _platform = null!;
    private ServiceProcess _registry = null!;
    private ModelRegistry _models = null!;
    private string _registryDatabase = "";
    private int _registered;

    public async Task InitializeAsync()
    {
        _platform = await DistributedPlatform.StartAsync(servers);
        _registryDatabase = await servers.Database.NewDatabaseAsync();
        await StartRegistryAsync();
        var worker = await _platform.StartWorkerAsync();
        await _platform.StagesAsync("noop");
        await worker.KillAsync(); // runs stay queued
        _models = new ModelRegistry(new RegistryDatabase(new RegistryOptions { Database = _registryDatabase }), TimeProvider.System);
        using var added = await _platform.Client.PutAsync("/api/v1/pipelines/each-version?file=each-version.yaml", new StringContent(Pipeline));
        added.IsSuccessStatusCode.ShouldBeTrue(await added.Content.ReadAsStringAsync());
    }

    public async Task DisposeAsync() => await _platform.DisposeAsync();

    [Fact]
    public async Task Each_event_starts_one_run()
    {
        for (var i = 0; i < Calm; i++)
        {
            await RegisterAsync();
            await Task.Delay(100);
        }
        await RunsAsync(Calm);
        var delays = await DelaysAsync();
        output.WriteLine($"event to queued, {Calm} events, ten a second: p50 {delays[Calm / 2]:0} ms, p95 {delays[Calm * 95 / 100]:0} ms, "
            + $"longest {delays[^1]:0} ms; in the ledger: p95 {await LedgerDelayAsync():0} ms");

        var clock = Stopwatch.StartNew();
        for (var batch = 0; batch < Batches; batch++)
        {
            var disturbance = DisturbAsync(batch);
            for (var i = 0; i < Batch; i++)
                await RegisterStubbornlyAsync();
            output.WriteLine($"{_registered} registered; killed: {await disturbance}; after {clock.Elapsed.TotalSeconds:0} s");
        }
        await TellAgainAsync(200);
        await RunsAsync(_registered);
        output.WriteLine($"{_registered} events, {_registered} runs after {clock.Elapsed.TotalSeconds:0} s");
        await Task.Delay(TimeSpan.FromSeconds(3)); // whatever is told again, or was claimed by a process that died

        (await LedgerAsync("select count(*) from run")).ShouldBe(Calm + Batches * Batch, _platform.Log);
        (await LedgerAsync("select count(distinct parameters) from run")).ShouldBe(Calm + Batches * Batch);
        (await LedgerAsync("select count(*) from trigger_event where kind = 'model.registered'")).ShouldBe(Calm + Batches * Batch);
        (await LedgerAsync("select count(*) from trigger_firing where state <> 'started'")).ShouldBe(0);
        delays[Calm * 95 / 100].ShouldBeLessThan(3000, "the aim is 1 s on a machine that does nothing else");
    }

    private async Task<string> DisturbAsync(int batch)
    {
        switch (batch % 4)
        {
            case 0:
                await _platform.Orchestrator.KillAsync();
                await _platform.StartOrchestratorAsync();
                return "orchestrator";
            case 1:
                await _registry.KillAsync();
                await StartRegistryAsync();
                return "registry";
            case 2:
                await servers.Database.CrashAsync();
                await servers.Database.StartAsync();
                return "database";
            default:
                await servers.Broker.CrashAsync();
                await servers.Broker.StartAsync();
                // A service that loses its broker exits, and its supervisor starts it again.
                await _platform.Orchestrator.KillAsync();
                await _registry.KillAsync();
                await Task.WhenAll(_platform.StartOrchestratorAsync(), StartRegistryAsync());
                return "broker, orchestrator, registry";
        }
    }

    private async Task StartRegistryAsync() => _registry = await _platform.StartWorkerAsync("services/Registry", ("registry:database", _registryDatabase));

    private async Task RegisterAsync()
    {
        var step = Digest.Of(System.Text.Encoding.UTF8.GetBytes($"step {_registered}"));
        await _models.RegisterAsync(
            new NewVersion { Model = "demo", Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 1), StepKey = step }, default);
        _registered++;
    }

    /// <summary>The same step registers once, however often it is tried.</summary>
    private async Task RegisterStubbornlyAsync()
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
    private async Task TellAgainAsync(int number)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddEspalierBus(
            new MessagingOptions { Transport = MessagingTransport.RabbitMq, Broker = servers.Broker.Address }, _ => { });
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

    private async Task RunsAsync(int number)
    {
        for (var limit = Stopwatch.StartNew(); await LedgerAsync("select count(*) from run") < number;)
        {
            limit.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(3), $"{await LedgerAsync("select count(*) from run")} of {number} runs\n{_platform.Log}");
            await Task.Delay(200);
        }
    }

    /// <summary>From the registration to the run that it started, in milliseconds, shortest first.</summary>
    private async Task<IReadOnlyList<double>> DelaysAsync()
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
        await using var ledger = NpgsqlDataSource.Create(_platform.Database);
        await using var runs = ledger.CreateCommand("select parameters, created_at from run");
        await using var started = await runs.ExecuteReaderAsync();
        while (await started.ReadAsync())
            delays.Add(started.GetInt64(1) - registered[started.GetString(0)].ToUnixTimeMilliseconds());
        delays.Sort();
        return delays;
    }

    /// <summary>The part of it that is the orchestrator's own: from the event in the ledger to its run.</summary>
    private Task<long> LedgerDelayAsync() => LedgerAsync(
        """
        select cast(percentile_disc(0.95) within group (order by r.created_at - e.at) as bigint)
          from run r join run_origin o on o.run_id = r.id join trigger_event e on e.id = o.event_id
        """);

    private async Task<long> LedgerAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(_platform.Database);
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
