using System.Text;
using RabbitMQ.Client;

namespace Espalier.Integration.Tests.Platform;

/// <summary>Takes a copy of every request and event on a broker.</summary>
internal sealed class MessageTap(IConnection connection, IChannel channel, string queue) : IAsyncDisposable
{
    private static readonly string[] Exchanges =
    [
        "orchestrator", "orchestrator-events", "Espalier.Contracts:StageAdvertised", "Espalier.Contracts:StepProgress",
        "Espalier.Contracts:StepStateChanged", "Espalier.Contracts:RunStateChanged",
    ];

    public static async Task<MessageTap> OpenAsync(int port, string password)
    {
        var connection = await new ConnectionFactory
        {
            HostName = "127.0.0.1",
            Port = port,
            VirtualHost = "espalier",
            UserName = "orchestrator",
            Password = password,
        }.CreateConnectionAsync();
        var channel = await connection.CreateChannelAsync();
        var queue = (await channel.QueueDeclareAsync("orchestrator_bus_tap", durable: false, exclusive: true, autoDelete: true)).QueueName;
        foreach (var exchange in Exchanges)
        {
            await channel.ExchangeDeclareAsync(exchange, "fanout", durable: true);
            await channel.QueueBindAsync(queue, exchange, "");
        }
        return new MessageTap(connection, channel, queue);
    }

    /// <summary>Bodies and headers of everything so far.</summary>
    public async Task<IReadOnlyList<string>> TakeAsync()
    {
        var messages = new List<string>();
        while (await channel.BasicGetAsync(queue, autoAck: true) is { } message)
            messages.Add(
                Encoding.UTF8.GetString(message.Body.Span) + string
                    .Concat(
                        (
                            message.BasicProperties.Headers ?? new Dictionary<string,
                            object?>()).Select(h => $"{h.Key}={(h.Value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : h.Value)}")));
        return messages;
    }

    public async ValueTask DisposeAsync()
    {
        await connection.AbortAsync(); // the broker may be gone
        await channel.DisposeAsync();
        await connection.DisposeAsync();
    }
}
