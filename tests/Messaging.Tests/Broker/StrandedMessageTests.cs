using System.Text;
using Espalier.Contracts;
using Espalier.Messaging.Broker;
using MassTransit;
using RabbitMQ.Client;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>A message that no consumer can handle blocks nothing, says why, and can be sent again.</summary>
[Collection(BrokerCollection.Name)]
public sealed class StrandedMessageTests(PlatformBroker broker)
{
    private readonly BrokerQueues _queues = new(broker.OptionsOf("orchestrator"));

    [Fact]
    public async Task Hint_DeliveredTooOften_GoesToTheDeadLettersAndCanBeReplayed()
    {
        await using (await TestService.StartWorkerAsync(broker.OptionsOf("quantizer"), new Heard(), "quantize"))
        {
            // Makes the queue as workers make it; then nobody listens.
        }
        await using var connection = await ConnectAsync("quantizer");
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicPublishAsync("work-quantize-cpu", "", body: Encoding.UTF8.GetBytes("poison"));

        var limit = broker.OptionsOf("quantizer").DeliveryLimit;
        for (var delivery = 0; delivery <= limit; delivery++)
        {
            BasicGetResult? message = null;
            await Heard.UntilAsync(async () => (message = await channel.BasicGetAsync("work-quantize-cpu", autoAck: false)) is not null);
            await channel.BasicNackAsync(message!.DeliveryTag, multiple: false, requeue: true);
        }

        await Heard.UntilAsync(async () => await DepthAsync(DeadLetters.Name) == 1);
        (await _queues.PeekAsync(DeadLetters.Name, 10, default)).ShouldHaveSingleItem().ShouldBe(new StrandedMessage("", "delivery_limit", "poison"));
        (await _queues.ReplayAsync(DeadLetters.Name, default)).ShouldBe(1);
        await Heard.UntilAsync(async () => await DepthAsync(DeadLetters.Name) == 0 && await DepthAsync("work-quantize-cpu") == 1);
        (await channel.BasicGetAsync("work-quantize-cpu", autoAck: true))!.Body.ToArray().ShouldBe("poison"u8.ToArray());
    }

    [Fact]
    public async Task Hint_Expired_IsDroppedWithoutATrace()
    {
        var options = broker.OptionsOf("upcycler");
        await using (await TestService.StartWorkerAsync(options, new Heard(), "upcycle"))
        {
        }
        await using var connection = await ConnectAsync("upcycler");
        await using var channel = await connection.CreateChannelAsync();
        var before = await DepthAsync(DeadLetters.Name);

        await channel.BasicPublishAsync("work-upcycle-cpu", "", false, new BasicProperties { Expiration = "50" }, "late"u8.ToArray());
        await Heard.UntilAsync(async () => await DepthAsync("work-upcycle-cpu") == 0);

        (await DepthAsync(DeadLetters.Name)).ShouldBe(before);
    }

    [Fact]
    public async Task Request_UnknownMalformedOrFailing_IsKeptWithItsReasonAndBlocksNothing()
    {
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.OptionsOf("orchestrator"), new Heard());
        await using var worker = await TestService.StartWorkerAsync(broker.OptionsOf("evaluator"), new Heard());
        var endpoint = await worker.Bus.GetSendEndpoint(EndpointNames.AddressOf(EndpointNames.Orchestrator));
        await using var connection = await ConnectAsync("evaluator");
        await using var channel = await connection.CreateChannelAsync();

        await endpoint.Send(new StepReady { Kind = "train", Device = "cpu" });
        await endpoint.Send(new ClaimStep { Worker = "poison", Kinds = [], Devices = [] });
        await channel.BasicPublishAsync(
            "orchestrator", "", false, new BasicProperties { ContentType = "application/vnd.masstransit+json" }, "{ not json"u8.ToArray());

        (await worker.ClaimAsync("evaluator")).ShouldBeTrue();
        await Heard.UntilAsync(async () => await DepthAsync("orchestrator_skipped") == 1 && await DepthAsync("orchestrator_error") == 2);
        var errors = await _queues.PeekAsync("orchestrator_error", 10, default);
        var told = string.Join("\n", errors);
        errors.Any(e => e.Reason.Contains("no such worker") && e.Body.Contains("poison")).ShouldBeTrue(told);
        errors.Any(e => e.Body == "{ not json" && e.Reason.Length > 0).ShouldBeTrue(told);
        var skipped = (await _queues.PeekAsync("orchestrator_skipped", 10, default)).ShouldHaveSingleItem();
        skipped.Body.Contains(nameof(StepReady), StringComparison.Ordinal).ShouldBeTrue($"{skipped}");

        (await _queues.ReplayAsync("orchestrator_error", default)).ShouldBe(2);
        await Heard.UntilAsync(async () => await DepthAsync("orchestrator_error") == 2);
    }

    private async Task<long> DepthAsync(string queue) => (await _queues.ListAsync([], default)).SingleOrDefault(q => q.Name == queue)?.Ready ?? 0;

    private Task<IConnection> ConnectAsync(string service)
    {
        var options = broker.OptionsOf(service);
        return new ConnectionFactory
        {
            HostName = options.Broker.Host,
            Port = options.Broker.Port,
            VirtualHost = BrokerDefinitions.VirtualHost,
            UserName = service,
            Password = options.Password,
        }.CreateConnectionAsync();
    }
}
