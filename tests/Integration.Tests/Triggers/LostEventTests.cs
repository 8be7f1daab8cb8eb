using System.Diagnostics;
using Espalier.Integration.Tests.Distributed;
using Espalier.Messaging;
using Espalier.TestKit.Servers;
using Npgsql;
using RabbitMQ.Client;

namespace Espalier.Integration.Tests.Triggers;

/// <summary>What the registry says at a broker that has no queue for it is kept until there is one.</summary>
[Collection(ServersCollection.Name)]
public sealed class LostEventTests(BrokerAndDatabase servers)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Event_BeforeTheOrchestratorHasItsQueue_StartsItsRunOnceItHas()
    {
        await using var flow = await EventFlow.StartAsync(servers);
        await flow.Platform.Orchestrator.KillAsync();
        await using (var connection = await new ConnectionFactory { Uri = servers.Broker.Address }.CreateConnectionAsync())
        await using (var channel = await connection.CreateChannelAsync())
            await channel.QueueDeleteAsync(EndpointNames.Triggers, ifUnused: false, ifEmpty: false);

        await flow.RegisterAsync();
        for (var clock = Stopwatch.StartNew(); await flow.RegistryAsync("select coalesce(max(attempts), 0) from registry_outbox") < 2;)
        {
            clock.Elapsed.ShouldBeLessThan(Limit, flow.Platform.Log);
            await Task.Delay(50);
        }
        await flow.Platform.StartOrchestratorAsync();
        await flow.RunsAsync(1);

        for (var clock = Stopwatch.StartNew(); await flow.RegistryAsync("select count(*) from registry_outbox") > 0; await Task.Delay(50))
            clock.Elapsed.ShouldBeLessThan(Limit, "what has arrived is forgotten");
        (await flow.LedgerAsync("select count(*) from run")).ShouldBe(1);
    }
}
