using Espalier.Messaging.Broker;
using RabbitMQ.Client;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>Queues that were made with other settings: made anew when nobody listens, else named with difference and remedy.</summary>
[Collection(BrokerCollection.Name)]
public sealed class QueueSettingsTests(PlatformBroker broker)
{
    private const string Queue = "work-prune-cuda";
    private readonly MessagingOptions _options = broker.OptionsOf("pruner");

    [Fact]
    public async Task EnsureHints_QueueOfAnOlderVersion_IsMadeAnewOrNamedWhileOthersListen()
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>
        {
            ["x-queue-type"] = "quorum", ["x-delivery-limit"] = 5, ["x-message-ttl"] = 60000, ["x-dead-letter-exchange"] = DeadLetters.Name,
        });
        var tag = await channel.BasicConsumeAsync(Queue, autoAck: true, new AsyncDefaultBasicConsumer(channel));

        var problem = await QueueSettings.EnsureHintsAsync(_options, Queue, default);
        await channel.BasicCancelAsync(tag);
        var solved = await QueueSettings.EnsureHintsAsync(_options, Queue, default);

        problem.ShouldNotBeNull();
        problem.ShouldContain(Queue);
        problem.ShouldContain("inequivalent arg");
        problem.ShouldContain("stop every worker of this kind");
        solved.ShouldBeNull();
        (await QueueSettings.EnsureHintsAsync(_options, Queue, default)).ShouldBeNull("it stays as it is");
    }

    [Fact]
    public async Task EnsureHints_AnotherLifetime_IsNoDifference()
    {
        var longer = broker.OptionsOf("pruner");
        (longer.HintLifetime, longer.DeliveryLimit) = (TimeSpan.FromMinutes(30), 50);

        (await QueueSettings.EnsureHintsAsync(_options, "work-prune-cpu", default)).ShouldBeNull();
        (await QueueSettings.EnsureHintsAsync(longer, "work-prune-cpu", default)).ShouldBeNull();
    }

    [Fact]
    public async Task FindAlarm_BrokerWithRoom_IsNone() => (await new BrokerQueues(broker.OptionsOf("orchestrator")).FindAlarmAsync(default)).ShouldBeNull();

    private Task<IConnection> ConnectAsync() => new ConnectionFactory
    {
        HostName = _options.Broker.Host, Port = _options.Broker.Port, VirtualHost = BrokerDefinitions.VirtualHost, UserName = _options.UserName,
        Password = _options.Password,
    }.CreateConnectionAsync();
}
