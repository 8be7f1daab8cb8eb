using System.Diagnostics;
using Espalier.Integration.Tests.Distributed;
using Espalier.TestKit.Servers;
using Xunit.Abstractions;

namespace Espalier.Integration.Tests.Triggers;

/// <summary>Models are registered while registry, orchestrator, broker and database are killed in turn, and messages are told again.</summary>
[Collection(ServersCollection.Name)]
public sealed class When_everything_is_killed_while_events_come(BrokerAndDatabase servers, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Calm = 100, Batch = 100, Batches = 9;

    private EventFlow _flow = null!;

    public async Task InitializeAsync() => _flow = await EventFlow.StartAsync(servers);

    public async Task DisposeAsync() => await _flow.DisposeAsync();

    [Fact]
    public async Task Each_event_starts_one_run()
    {
        await _flow.RegisterAsync(Calm, TimeSpan.FromMilliseconds(100));
        await _flow.RunsAsync(Calm);

        var clock = Stopwatch.StartNew();
        for (var batch = 0; batch < Batches; batch++)
        {
            var disturbance = DisturbAsync(batch);
            for (var i = 0; i < Batch; i++)
                await _flow.RegisterStubbornlyAsync();
            output.WriteLine($"{_flow.Registered} registered; killed: {await disturbance}; after {clock.Elapsed.TotalSeconds:0} s");
        }
        await _flow.TellAgainAsync(200);
        await _flow.RunsAsync(_flow.Registered);
        output.WriteLine($"{_flow.Registered} events, {_flow.Registered} runs after {clock.Elapsed.TotalSeconds:0} s");
        await Task.Delay(TimeSpan.FromSeconds(3)); // whatever is told again, or was claimed by a process that died

        (await _flow.LedgerAsync("select count(*) from run")).ShouldBe(Calm + Batches * Batch, _flow.Platform.Log);
        (await _flow.LedgerAsync("select count(distinct parameters) from run")).ShouldBe(Calm + Batches * Batch);
        (await _flow.LedgerAsync("select count(*) from trigger_event where kind = 'model.registered'")).ShouldBe(Calm + Batches * Batch);
        (await _flow.LedgerAsync("select count(*) from trigger_firing where state <> 'started'")).ShouldBe(0);
    }

    private async Task<string> DisturbAsync(int batch)
    {
        switch (batch % 4)
        {
            case 0:
                await _flow.Platform.Orchestrator.KillAsync();
                await _flow.Platform.StartOrchestratorAsync();
                return "orchestrator";
            case 1:
                await _flow.Registry.KillAsync();
                await _flow.StartRegistryAsync();
                return "registry";
            case 2:
                await servers.Database.CrashAsync();
                await servers.Database.StartAsync();
                return "database";
            default:
                await servers.Broker.CrashAsync();
                await servers.Broker.StartAsync();
                // A service that loses its broker exits, and its supervisor starts it again.
                await _flow.Platform.Orchestrator.KillAsync();
                await _flow.Registry.KillAsync();
                await Task.WhenAll(_flow.Platform.StartOrchestratorAsync(), _flow.StartRegistryAsync());
                return "broker, orchestrator, registry";
        }
    }
}
