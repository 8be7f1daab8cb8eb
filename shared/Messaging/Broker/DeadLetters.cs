using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Messaging.Broker;

/// <summary>
/// Where a work hint goes that was delivered too often. Hints that merely expired arrive here too and are dropped: the
/// exchange routes by the reason for which a message left its queue.
/// </summary>
public static class DeadLetters
{
    /// <summary>Name of the exchange and of the queue.</summary>
    public const string Name = "dead-letters";

    internal const string ExchangeType = "headers";

    private const int MostKept = 10_000;

    internal static readonly IReadOnlyDictionary<string, object?> QueueArguments = new Dictionary<string, object?>
    {
        ["x-queue-type"] = "quorum",
        ["x-max-length"] = MostKept,
    };

    internal static readonly IReadOnlyDictionary<string, object?> BindingArguments =
        new Dictionary<string, object?> { ["x-match"] = "all-with-x", ["x-first-death-reason"] = "delivery_limit" };

    /// <summary>Whether an error of <see cref="EnsureAsync"/> says that the queue exists with other settings.</summary>
    public static bool IsOtherwiseMade(Exception error) =>
        error is OperationInterruptedException { ShutdownReason.ReplyCode: Constants.PreconditionFailed };

    /// <summary>Makes exchange and queue where the broker's definitions did not.</summary>
    public static async Task EnsureAsync(MessagingOptions options, CancellationToken cancellationToken)
    {
        var connection = await BrokerConnection.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            await using (channel.ConfigureAwait(false))
            {
                await channel.ExchangeDeclareAsync(Name, ExchangeType, durable: true, cancellationToken: cancellationToken).ConfigureAwait(false);
                await channel.QueueDeclareAsync(
                    Name, durable: true, exclusive: false, autoDelete: false,
                    arguments: new Dictionary<string, object?>(QueueArguments), cancellationToken: cancellationToken).ConfigureAwait(false);
                await channel.QueueBindAsync(
                    Name, Name, "", new Dictionary<string, object?>(BindingArguments), cancellationToken: cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
