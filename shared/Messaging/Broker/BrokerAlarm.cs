using RabbitMQ.Client;

namespace Espalier.Messaging.Broker;

/// <summary>Whether the broker takes messages: out of memory or disk it takes none, and everybody who sends waits.</summary>
internal static class BrokerAlarm
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>The broker's reason for taking no messages, such as <c>low on disk</c>; null when it takes them.</summary>
    public static async Task<string?> FindAsync(MessagingOptions options, CancellationToken cancellationToken)
    {
        // A broker tells of its alarm only to a connection that sends something; what is sent here matches nothing and goes nowhere.
        var connection = await BrokerConnection.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        try
        {
            var blocked = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            connection.ConnectionBlockedAsync += (_, e) =>
            {
                blocked.TrySetResult(e.Reason);
                return Task.CompletedTask;
            };
            var confirmed = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
            var channel = await connection.CreateChannelAsync(confirmed, cancellationToken).ConfigureAwait(false);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var sent = SendTwiceAsync(channel, limit.Token);
            await Task.WhenAny(blocked.Task, sent, Task.Delay(Patience, cancellationToken)).ConfigureAwait(false);
            await limit.CancelAsync().ConfigureAwait(false);
            await sent.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return blocked.Task.IsCompletedSuccessfully ? await blocked.Task.ConfigureAwait(false) : null;
        }
        finally
        {
            await CloseAsync(connection).ConfigureAwait(false);
        }
    }

    /// <summary>The first message is still taken, and tells the broker that somebody sends here; a second one is not.</summary>
    private static async Task SendTwiceAsync(IChannel channel, CancellationToken cancellationToken)
    {
        for (var message = 0; message < 2; message++)
        {
            await channel.BasicPublishAsync(
                DeadLetters.Name, "", mandatory: false, new BasicProperties(), default, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A broker with an alarm does not read what is sent to it, goodbyes neither.</summary>
    private static Task CloseAsync(IConnection connection) => Task.Run(async () =>
    {
        await connection.AbortAsync(Patience).ConfigureAwait(false);
        await connection.DisposeAsync().ConfigureAwait(false);
    }).WaitAsync(Patience * 2).ContinueWith(_ => { }, TaskScheduler.Default);
}
