using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Messaging.Broker;

/// <summary>The state of one queue at one moment.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ready">Messages waiting for delivery.</param>
/// <param name="Consumers">Number of consumers.</param>
public sealed record QueueState(string Name, long Ready, long Consumers);

/// <summary>A message that nobody could handle.</summary>
/// <param name="MessageType">Its type, or empty.</param>
/// <param name="Reason">Why it is here.</param>
/// <param name="Body">Its text, cut short.</param>
public sealed record StrandedMessage(string MessageType, string Reason, string Body);

/// <summary>Inspects and replays the broker's queues over the messaging protocol itself; no management plugin is needed.</summary>
public sealed class BrokerQueues(MessagingOptions options)
{
    private const int LongestBody = 4000;
    private const string FaultHeaders = "MT-Fault-";
    private static readonly string[] Devices = ["cpu", "cuda"];

    /// <summary>Whether there is a broker; the in-memory bus has no queues to inspect.</summary>
    public bool HasBroker => options.Transport == MessagingTransport.RabbitMq;

    /// <summary>Every queue that the platform may have made, of those that exist.</summary>
    /// <param name="kinds">Stage kinds, beside the built-in ones.</param>
    public async Task<IReadOnlyList<QueueState>> ListAsync(IEnumerable<string> kinds, CancellationToken cancellationToken)
    {
        if (!HasBroker)
            return [];
        var connection = await BrokerConnection.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var found = new List<QueueState>();
            foreach (var name in NamesOf(kinds))
            {
                if (await FindAsync(connection, name, cancellationToken).ConfigureAwait(false) is { } state)
                    found.Add(state);
            }
            return found;
        }
    }

    /// <summary>Why the broker takes no messages now, such as <c>low on disk</c>; null when it takes them.</summary>
    public Task<string?> FindAlarmAsync(CancellationToken cancellationToken) =>
        HasBroker ? BrokerAlarm.FindAsync(options, cancellationToken) : Task.FromResult<string?>(null);

    /// <summary>The oldest messages of a queue; they stay where they are.</summary>
    public Task<IReadOnlyList<StrandedMessage>> PeekAsync(string queue, int limit, CancellationToken cancellationToken) =>
        OnChannelAsync<IReadOnlyList<StrandedMessage>>(async channel =>
        {
            var messages = new List<StrandedMessage>();
            // Not acknowledged: the broker puts them back when the channel closes.
            while (messages.Count < limit && await channel.BasicGetAsync(queue, autoAck: false, cancellationToken).ConfigureAwait(false) is { } message)
                messages.Add(Describe(message));
            return messages;
        }, cancellationToken);

    /// <summary>Sends the messages of an error, skipped or dead-letter queue to the queues they were meant for; returns how many.</summary>
    public Task<int> ReplayAsync(string queue, CancellationToken cancellationToken) =>
        OnChannelAsync(async channel =>
        {
            var count = (int)(await channel.QueueDeclarePassiveAsync(queue, cancellationToken).ConfigureAwait(false)).MessageCount;
            for (var done = 0; done < count; done++)
            {
                if (await channel.BasicGetAsync(queue, autoAck: false, cancellationToken).ConfigureAwait(false) is not { } message)
                    return done;
                // Confirmed by the broker before it leaves the queue: twice at worst, never lost.
                await channel.BasicPublishAsync(
                    TargetOf(queue, message), "", mandatory: true, Fresh(message), message.Body, cancellationToken).ConfigureAwait(false);
                await channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancellationToken).ConfigureAwait(false);
            }
            return count;
        }, cancellationToken);

    /// <summary>Whether a queue holds what could not be handled.</summary>
    public static bool IsStranded(string queue) =>
        queue == DeadLetters.Name || queue.EndsWith("_error", StringComparison.Ordinal) || queue.EndsWith("_skipped", StringComparison.Ordinal);

    private static IEnumerable<string> NamesOf(IEnumerable<string> kinds)
    {
        var endpoints = new[] { EndpointNames.Orchestrator, $"{EndpointNames.Orchestrator}-events" }
            .Concat(from kind in ServiceAccounts.All.SelectMany(a => a.Kinds).Concat(kinds).Distinct().Order(StringComparer.Ordinal)
                    from device in Devices
                    select EndpointNames.Work(kind, device));
        return endpoints.SelectMany(e => new[] { e, $"{e}_error", $"{e}_skipped" }).Append(DeadLetters.Name);
    }

    private static async Task<QueueState?> FindAsync(IConnection connection, string name, CancellationToken cancellationToken)
    {
        // Asking for a queue that does not exist costs the channel.
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (channel.ConfigureAwait(false))
        {
            try
            {
                var queue = await channel.QueueDeclarePassiveAsync(name, cancellationToken).ConfigureAwait(false);
                return new QueueState(name, queue.MessageCount, queue.ConsumerCount);
            }
            catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.NotFound)
            {
                return null;
            }
        }
    }

    private async Task<T> OnChannelAsync<T>(Func<IChannel, Task<T>> work, CancellationToken cancellationToken)
    {
        var connection = await BrokerConnection.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var confirmed = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
            var channel = await connection.CreateChannelAsync(confirmed, cancellationToken).ConfigureAwait(false);
            await using (channel.ConfigureAwait(false))
                return await work(channel).ConfigureAwait(false);
        }
    }

    private static string TargetOf(string queue, BasicGetResult message)
    {
        if (queue == DeadLetters.Name)
            return Header(message, "x-first-death-queue") ?? throw new InvalidOperationException("A dead letter does not say which queue it comes from.");
        return queue[..queue.LastIndexOf('_')];
    }

    /// <summary>The properties from before it failed, without the time-to-live, which has long passed.</summary>
    private static BasicProperties Fresh(BasicGetResult message)
    {
        var properties = new BasicProperties(message.BasicProperties);
        properties.ClearExpiration();
        properties.Headers = message.BasicProperties.Headers?
            .Where(h => !h.Key.StartsWith(FaultHeaders, StringComparison.Ordinal) && !h.Key.StartsWith("x-", StringComparison.Ordinal) && h.Key != "MT-Reason")
            .ToDictionary(h => h.Key, h => h.Value);
        return properties;
    }

    private static StrandedMessage Describe(BasicGetResult message)
    {
        var body = Encoding.UTF8.GetString(message.Body.Span);
        var reason = Header(message, "MT-Fault-Message") is { } fault
            ? $"{Header(message, "MT-Fault-ExceptionType")}: {fault}"
            : Header(message, "x-first-death-reason") ?? Header(message, "MT-Reason") ?? "";
        return new StrandedMessage(
            Header(message, "MT-Fault-MessageType") ?? Header(message, "MT-MessageType") ?? "", reason,
            body.Length <= LongestBody ? body : body[..LongestBody]);
    }

    private static string? Header(BasicGetResult message, string name) =>
        message.BasicProperties.Headers is { } headers && headers.TryGetValue(name, out var value)
            ? value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : value?.ToString()
            : null;
}
