using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Database;

/// <summary>Hands a message of an outbox to its receiver.</summary>
public interface IOutboxPublisher
{
    /// <summary>Ends when the receiver has confirmed the message; throws when it has not.</summary>
    Task PublishAsync(OutboxMessage message, CancellationToken cancellationToken);
}

/// <summary>Sends what an outbox holds, as long as the process runs.</summary>
/// <param name="outbox">Whose messages.</param>
/// <param name="publisher">Where they go.</param>
/// <param name="wakeup">Says that messages may be due.</param>
/// <param name="interval">How often it looks without being woken.</param>
/// <param name="time">Clock of the pauses.</param>
/// <param name="logger">Is told about outages and about messages that cannot be sent.</param>
public sealed class OutboxDispatcher(Outbox outbox, IOutboxPublisher publisher, Wakeup wakeup, TimeSpan interval, TimeProvider time,
    ILogger<OutboxDispatcher> logger)
    : BackgroundService
{
    private readonly DatabaseLoop _loop = new("The outbox", time, logger);
    private bool _isReceiverAway;

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _loop.RunAsync(
        DispatchAsync, token => wakeup.WaitAsync(interval, time, token), interval, stoppingToken);

    private async Task<bool> DispatchAsync(CancellationToken cancellationToken)
    {
        var round = await outbox.DispatchAsync(publisher.PublishAsync, cancellationToken).ConfigureAwait(false);
        if (round.Sent > 0)
            _isReceiverAway = false;
        // Of messages that wait for a receiver that is away only the first is worth a line, and of a wrong message its first attempt.
        foreach (var failure in round.Failures.Where(f => f.Message.Attempts == 1 && !_isReceiverAway))
        {
            DatabaseLog.MessageWaits(logger, failure.Message.Type, failure.Message.Id, failure.Error.Message, failure.Error);
            _isReceiverAway = round.Sent == 0;
        }
        return round.IsFull;
    }
}
