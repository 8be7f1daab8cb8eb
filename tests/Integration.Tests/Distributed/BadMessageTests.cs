using System.Diagnostics;
using System.Text;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using RabbitMQ.Client;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Messages that no consumer can read.</summary>
[Collection(ServersCollection.Name)]
public sealed class BadMessageTests(BrokerAndDatabase servers)
{
    [Fact]
    public async Task Message_MalformedOrOfAnUnknownType_IsSetAsideWithItsReasonAndBlocksNothing()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await platform.StartWorkerAsync();
        var factory = new ConnectionFactory { Uri = servers.Broker.Address };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();

        await PublishAsync(channel, "this is no envelope {");
        await PublishAsync(channel, """{"message-type":["urn:message:Espalier.Contracts:ClaimStep"],"message":{"kinds":7}}""");
        await PublishAsync(channel, """{"message-type":["urn:message:Espalier.Future:FeedStep"],"message":{"text":"x"}}""");
        var ended = await platform.EndAsync(await platform.SubmitAsync("name: calm\nstages:\n  a: { uses: noop, with: { text: z } }\n"));

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        var reasons = new[]
        {
            await TakeAsync(channel, $"{EndpointNames.Orchestrator}_error"),
            await TakeAsync(channel, $"{EndpointNames.Orchestrator}_error"),
        };
        reasons.ShouldAllBe(r => r.Length > 10);
        await TakeAsync(channel, $"{EndpointNames.Orchestrator}_skipped");
    }

    private static async Task PublishAsync(IChannel channel, string body) => await channel.BasicPublishAsync(
        EndpointNames.Orchestrator, "", mandatory: false, new BasicProperties
        {
            ContentType = "application/vnd.masstransit+json",
        }, Encoding.UTF8.GetBytes(body));

    /// <summary>Waits for a message; why it is there.</summary>
    private static async Task<string> TakeAsync(IChannel channel, string queue)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < TimeSpan.FromSeconds(20))
        {
            if (await channel.BasicGetAsync(queue, autoAck: true) is { } message)
            {
                var headers = message.BasicProperties.Headers ?? new Dictionary<string, object?>();
                var reason = headers.TryGetValue("MT-Fault-Message", out var fault) ? fault : headers.TryGetValue("MT-Reason", out var why) ? why : null;
                return reason is byte[] text ? Encoding.UTF8.GetString(text) : "";
            }
            await Task.Delay(50);
        }
        throw new TimeoutException($"Nothing arrives in {queue}.");
    }
}
