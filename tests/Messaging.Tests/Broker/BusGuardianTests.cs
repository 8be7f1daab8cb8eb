using Espalier.Contracts;
using Espalier.Messaging.Broker;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>A process whose endpoint cannot listen while the broker answers ends, so that its supervisor starts it anew.</summary>
[Collection(BrokerCollection.Name)]
public sealed class BusGuardianTests(PlatformBroker broker)
{
    private const string Queue = "orchestrator_error"; // a queue that the account may make and that no other test listens to

    [Fact]
    public async Task Process_WhoseQueueBecameAnotherOne_EndsAfterTheLimit()
    {
        BusGuardian.StopLimit = TimeSpan.FromMinutes(5); // this process is the test's
        var options = broker.OptionsOf("orchestrator");
        options.DeafLimit = TimeSpan.FromSeconds(2);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.ClearProviders();
        builder.Services.AddEspalierBus(options, bus => bus.AddConsumer<Silent>().Endpoint(e => e.Name = Queue));
        using var host = builder.Build();
        await host.StartAsync();
        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        await using var connection = await ConnectAsync(options);
        await using var channel = await connection.CreateChannelAsync();

        lifetime.ApplicationStopping.IsCancellationRequested.ShouldBeFalse();
        await TakeQueueAwayAsync(channel);

        await Heard.UntilAsync(() => lifetime.ApplicationStopping.IsCancellationRequested);
        await host.StopAsync();
        await channel.QueueDeleteAsync(Queue);
    }

    /// <summary>The listener declares its queue anew at once; whoever is first decides what the queue is.</summary>
    private static async Task TakeQueueAwayAsync(IChannel channel)
    {
        await channel.QueueDeleteAsync(Queue);
        await channel.QueueDeclareAsync(Queue, durable: false, exclusive: false, autoDelete: false);
    }

    private static Task<IConnection> ConnectAsync(MessagingOptions options) =>
        new ConnectionFactory { HostName = options.Broker.Host, Port = options.Broker.Port, VirtualHost = BrokerDefinitions.VirtualHost, UserName = options.UserName, Password = options.Password }.CreateConnectionAsync();

    private sealed class Silent : IConsumer<StepHeartbeat>
    {
        public Task Consume(ConsumeContext<StepHeartbeat> context) => Task.CompletedTask;
    }
}
