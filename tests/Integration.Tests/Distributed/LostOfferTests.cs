using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using RabbitMQ.Client;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>What a worker offers reaches the orchestrator even if its advertisement does not.</summary>
[Collection(ServersCollection.Name)]
public sealed class LostOfferTests(BrokerAndDatabase servers)
{
    private const string Event = "Espalier.Contracts:StageAdvertised", Queue = "orchestrator-events";

    [Fact]
    public async Task Advertisement_ThatTheBrokerDropped_IsSentAgainWithinSeconds()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await using var connection = await new ConnectionFactory { Uri = servers.Broker.Address }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        // As at a broker that knows no orchestrator yet: nobody is bound to what workers say.
        await channel.ExchangeUnbindAsync(Queue, Event, "");
        try
        {
            await platform.StartWorkerAsync();
        }
        finally
        {
            await channel.ExchangeBindAsync(Queue, Event, "");
        }

        // By default it is said once a minute.
        await platform.StagesAsync(TimeSpan.FromSeconds(20), "noop");
    }
}
