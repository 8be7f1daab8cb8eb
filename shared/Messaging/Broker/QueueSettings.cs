using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Messaging.Broker;

/// <summary>
/// Makes queues of hints, or says why one cannot be used. One that an older version made with other arguments is made anew when nobody
/// listens to it: hints may be lost.
/// </summary>
public static class QueueSettings
{
    private const string Reason = "PRECONDITION_FAILED - ";

    /// <summary>Makes sure that a queue of hints is as this version wants it.</summary>
    /// <returns>Null when it is; else queue, difference and remedy.</returns>
    /// <exception cref="Exception">The broker does not answer, or refuses the account.</exception>
    public static async Task<string?> EnsureHintsAsync(MessagingOptions options, string queue, CancellationToken cancellationToken)
    {
        var connection = await BrokerConnection.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            if (await FindDifferenceAsync(connection, queue, cancellationToken).ConfigureAwait(false) is not { } difference)
                return null;
            if (!await TryDeleteUnusedAsync(connection, queue, cancellationToken).ConfigureAwait(false)
                || await FindDifferenceAsync(connection, queue, cancellationToken).ConfigureAwait(false) is not null)
            {
                return $"Queue '{queue}' exists with other settings ({difference}), and others listen to it: stop every worker of this kind, "
                    + "then start them again. The queue is made anew then; it holds hints only, so no work is lost.";
            }
            return null;
        }
    }

    private static async Task<string?> FindDifferenceAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (channel.ConfigureAwait(false))
        {
            try
            {
                await channel.QueueDeclareAsync(
                    queue, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>(WorkQueue.Arguments),
                    cancellationToken: cancellationToken).ConfigureAwait(false);
                return null;
            }
            catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.PreconditionFailed)
            {
                return e.ShutdownReason.ReplyText.Replace(Reason, "", StringComparison.Ordinal);
            }
        }
    }

    private static async Task<bool> TryDeleteUnusedAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (channel.ConfigureAwait(false))
        {
            // A quorum queue does not know the flag 'if unused'.
            if ((await channel.QueueDeclarePassiveAsync(queue, cancellationToken).ConfigureAwait(false)).ConsumerCount > 0)
                return false;
            await channel.QueueDeleteAsync(queue, ifUnused: false, ifEmpty: false, cancellationToken: cancellationToken).ConfigureAwait(false);
            return true;
        }
    }
}
