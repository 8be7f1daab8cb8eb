using RabbitMQ.Client.Exceptions;

namespace Espalier.Messaging.Broker;

/// <summary>What the broker says of itself.</summary>
/// <param name="Answers">Whether it could be asked.</param>
/// <param name="Alarm">Why it takes no messages, such as <c>low on disk</c>; empty when it takes them.</param>
public sealed record BrokerCondition(bool Answers, string Alarm)
{
    /// <summary>Why no message passes now, and what mends it; null when messages pass.</summary>
    public string? Problem =>
        !Answers ? "The broker does not answer."
        : Alarm.Length > 0 ? $"The broker takes no messages: {Alarm}. Make room on its machine; it then continues by itself."
        : null;
}

/// <summary>Whether messages pass now. The broker is asked at most every two seconds, however many want to know.</summary>
public sealed class BrokerProbe(BrokerQueues queues, TimeProvider time)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2), Limit = TimeSpan.FromSeconds(7);
    private readonly SemaphoreSlim _asking = new(1, 1);
    private (long At, BrokerCondition Condition)? _last;

    /// <summary>The broker's condition; a bus within the process is always well.</summary>
    public async Task<BrokerCondition> FindAsync(CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_last is not { } last || time.GetElapsedTime(last.At) > Fresh)
                _last = last = (time.GetTimestamp(), await AskAsync(cancellationToken).ConfigureAwait(false));
            return last.Condition;
        }
        finally
        {
            _asking.Release();
        }
    }

    private async Task<BrokerCondition> AskAsync(CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(Limit);
        try
        {
            return new BrokerCondition(true, await queues.FindAlarmAsync(limited.Token).WaitAsync(limited.Token).ConfigureAwait(false) ?? "");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new BrokerCondition(false, "");
        }
        catch (Exception e) when (e is BrokerUnreachableException or OperationInterruptedException or AlreadyClosedException or IOException or TimeoutException)
        {
            return new BrokerCondition(false, "");
        }
    }
}
