using System.Diagnostics;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Espalier.Benchmarks.Steps;

/// <summary>The limit: a request and its answer over the broker's own client, both persistent and confirmed.</summary>
internal static class RawRoundTrip
{
    private const int Rounds = 1000;

    /// <summary>Milliseconds of each round trip.</summary>
    public static async Task<List<double>> MeasureAsync(Uri broker)
    {
        var factory = new ConnectionFactory { Uri = broker };
        await using var connection = await factory.CreateConnectionAsync();
        await using var asking = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        await using var answering = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        await asking.QueueDeclareAsync("raw-ask", durable: true, exclusive: false, autoDelete: true);
        await asking.QueueDeclareAsync("raw-answer", durable: true, exclusive: false, autoDelete: true);
        var properties = new BasicProperties { DeliveryMode = DeliveryModes.Persistent };
        var body = new byte[900];

        var answerer = new AsyncEventingBasicConsumer(answering);
        answerer.ReceivedAsync += async (_, delivery) =>
        {
            await answering.BasicPublishAsync("", "raw-answer", mandatory: false, properties, body);
            await answering.BasicAckAsync(delivery.DeliveryTag, multiple: false);
        };
        await answering.BasicConsumeAsync("raw-ask", autoAck: false, answerer);
        TaskCompletionSource? waiting = null;
        var asker = new AsyncEventingBasicConsumer(asking);
        asker.ReceivedAsync += async (_, delivery) =>
        {
            await asking.BasicAckAsync(delivery.DeliveryTag, multiple: false);
            waiting!.TrySetResult();
        };
        await asking.BasicConsumeAsync("raw-answer", autoAck: false, asker);

        var times = new List<double>();
        for (var i = 0; i < Rounds; i++)
        {
            waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var clock = Stopwatch.GetTimestamp();
            await asking.BasicPublishAsync("", "raw-ask", mandatory: false, properties, body);
            await waiting.Task;
            times.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
        }
        return [.. times.Skip(Rounds / 10)];
    }
}
