using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.TestKit.Servers;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Espalier.Integration.Tests.Drills;

/// <summary>
/// The end of a bus that an older version would hold: bodies as its serializer wrote them (<c>tests/Contracts.Tests/Golden</c>), and
/// nothing of ours between them and the broker.
/// </summary>
internal sealed class OldBus : IAsyncDisposable
{
    private const string Contracts = "Espalier.Contracts:";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly Uri _broker;
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _name = $"old_{Guid.NewGuid():n}";
    private readonly ConcurrentDictionary<Guid, TaskCompletionSource<OldMessage>> _asked = new();

    private OldBus(Uri broker, IConnection connection, IChannel channel) => (_broker, _connection, _channel) = (broker, connection, channel);

    public static async Task<OldBus> OpenAsync(Uri broker)
    {
        var connection = await new ConnectionFactory { Uri = broker }.CreateConnectionAsync();
        var bus = new OldBus(broker, connection, await connection.CreateChannelAsync());
        await bus.ConsumeAsync(bus._name, isTemporary: true, message =>
        {
            if (message.Request is { } request && bus._asked.TryRemove(request, out var asked))
                asked.TrySetResult(message);
            return Task.CompletedTask;
        });
        return bus;
    }

    /// <summary>A body of the older version, to be changed where it says of whom it speaks.</summary>
    public static JsonObject Golden(string name) =>
        JsonNode.Parse(File.ReadAllText(Repository.PathOf($"tests/Contracts.Tests/Golden/2026-11-22/{name}.json")))!.AsObject();

    /// <summary>Sends a request; the answer, or null when none comes in time.</summary>
    public async Task<OldMessage?> AskAsync(string queue, string type, JsonObject body)
    {
        var request = Guid.NewGuid();
        var asked = _asked[request] = new TaskCompletionSource<OldMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        await SendAsync(queue, type, body, request, AddressOf($"{_name}?temporary=true"));
        return await Task.WhenAny(asked.Task, Task.Delay(Patience)) == asked.Task ? await asked.Task : null;
    }

    /// <summary>Tells everybody something.</summary>
    public Task PublishAsync(string type, JsonObject body) => SendAsync($"{Contracts}{type}", type, body, null, null);

    /// <summary>Answers the requests that come to a queue.</summary>
    public Task ServeAsync(string queue, Func<OldMessage, (string Type, JsonObject Body)?> answer) => ConsumeAsync(queue, isTemporary: false, async message =>
    {
        if (message is { Request: { } request, AnswerTo: { } to } && answer(message) is var (type, body))
            await SendAsync(to, type, body, request, null);
    });

    public async ValueTask DisposeAsync()
    {
        await _connection.AbortAsync(); // the broker may be gone
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private string AddressOf(string name) => $"rabbitmq://{_broker.Host}:{_broker.Port}/{name}";

    private async Task ConsumeAsync(string exchange, bool isTemporary, Func<OldMessage, Task> take)
    {
        await _channel.ExchangeDeclareAsync(exchange, "fanout", durable: !isTemporary, autoDelete: isTemporary);
        var queue = (await _channel.QueueDeclareAsync($"{_name}_{exchange}", durable: false, exclusive: true, autoDelete: true)).QueueName;
        await _channel.QueueBindAsync(queue, exchange, "");
        var consumer = new AsyncEventingBasicConsumer(_channel);
        consumer.ReceivedAsync += (_, delivery) => take(OldMessage.Read(delivery.Body.Span));
        await _channel.BasicConsumeAsync(queue, autoAck: true, consumer);
    }

    private async Task SendAsync(string exchange, string type, JsonObject body, Guid? request, string? answerTo)
    {
        var envelope = new JsonObject
        {
            ["message-id"] = Guid.NewGuid(),
            ["request-id"] = request,
            ["conversation-id"] = Guid.NewGuid(),
            ["source-address"] = AddressOf(_name),
            ["destination-address"] = AddressOf(exchange),
            ["response-address"] = answerTo,
            ["message-type"] = new JsonArray($"urn:message:{Contracts}{type}"),
            ["message"] = body.DeepClone(),
        };
        await _channel.BasicPublishAsync(
            exchange, "", mandatory: false, new BasicProperties { ContentType = "application/vnd.masstransit+json", Persistent = true },
            Encoding.UTF8.GetBytes(envelope.ToJsonString()));
    }
}

/// <summary>A message as it lies on the broker.</summary>
/// <param name="Type">Name of the contract.</param>
/// <param name="Body">What it says.</param>
/// <param name="Request">The request that it is or answers.</param>
/// <param name="AnswerTo">Name of the exchange for the answer.</param>
internal sealed record OldMessage(string Type, JsonElement Body, Guid? Request, string? AnswerTo)
{
    public static OldMessage Read(ReadOnlySpan<byte> envelope)
    {
        var read = JsonSerializer.Deserialize<JsonElement>(envelope);
        var type = read.GetProperty("message-type")[0].GetString()!;
        return new OldMessage(
            type[(type.LastIndexOf(':') + 1)..], read.GetProperty("message"), Find("request-id") is { } id ? Guid.Parse(id) : null,
            Find("response-address") is { } to ? new Uri(to).AbsolutePath[1..] : null);

        string? Find(string name) => read.TryGetProperty(name, out var value) ? value.GetString() : null;
    }

    /// <summary>The body as a contract of ours.</summary>
    public T As<T>() => Body.Deserialize<T>(WireJson.Options)!;

    /// <summary>Members of the older version's body that this one lacks.</summary>
    public IReadOnlyList<string> MissingFrom(JsonObject golden) =>
        [.. golden.Select(member => member.Key).Where(name => !Body.TryGetProperty(name, out _))];
}
