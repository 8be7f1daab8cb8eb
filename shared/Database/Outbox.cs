using Dapper;

namespace Espalier.Database;

/// <summary>
/// Sends the messages of an outbox, oldest first, each at least once. A process claims due messages by moving their time ahead, in
/// one short transaction, so that no other sends them while no transaction waits for the broker; a message is deleted when its
/// receiver has taken it. Claims of a process that died run out by themselves. A message that cannot be sent waits longer each time,
/// and the others go on.
/// </summary>
public sealed class Outbox(SqlDatabase database, OutboxTable table, TimeProvider time)
{
    /// <summary>How long a claim holds.</summary>
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(15);

    /// <summary>Messages of one round.</summary>
    internal const int Batch = 100;

    // A round in which this many messages fail one after the other has met a receiver that is away, not messages that are wrong.
    private const int FailuresInARow = 3;

    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>Is told how far a round is; for tests and injected faults.</summary>
    public Action<OutboxMoment>? Reached { get; init; }

    /// <summary>Sends due messages.</summary>
    /// <param name="send">Ends when the receiver has the message. It gets 5 seconds.</param>
    /// <param name="cancellationToken">Stops between two messages and during one.</param>
    public async Task<OutboxRound> DispatchAsync(Func<OutboxMessage, CancellationToken, Task> send, CancellationToken cancellationToken)
    {
        var isDue = await database.ReadAsync(
            c => c.QueryFirstOrDefaultAsync<long?>($"select id from {table.Name} where not_before <= @Now limit 1", new { database.Now }),
            cancellationToken).ConfigureAwait(false);
        if (isDue is null)
            return new OutboxRound(0, []);
        var started = time.GetTimestamp();
        var claimed = await ClaimAsync(cancellationToken).ConfigureAwait(false);
        if (claimed.Count == 0)
            return new OutboxRound(0, []);
        Reached?.Invoke(OutboxMoment.Claimed);
        var (sent, failures) = (new List<OutboxMessage>(), new List<OutboxFailure>());
        try
        {
            var failuresInARow = 0;
            foreach (var message in claimed)
            {
                // Whoever claims it next must not meet a message that is still being sent here.
                if (failuresInARow == FailuresInARow || time.GetElapsedTime(started) > Lease - SendLimit)
                    break;
                if (await TrySendAsync(send, message, cancellationToken).ConfigureAwait(false) is { } error)
                {
                    failures.Add(new OutboxFailure(message, error));
                    failuresInARow++;
                    continue;
                }
                sent.Add(message);
                failuresInARow = 0;
                Reached?.Invoke(OutboxMoment.Sent);
            }
        }
        finally
        {
            await SettleAsync(sent, [.. failures.Select(f => f.Message)], claimed).ConfigureAwait(false);
        }
        Reached?.Invoke(OutboxMoment.Removed);
        return new OutboxRound(sent.Count, failures);
    }

    /// <summary>Messages that wait.</summary>
    public Task<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(c => c.ExecuteScalarAsync<long>($"select count(*) from {table.Name}"), cancellationToken);

    private async Task<List<OutboxMessage>> ClaimAsync(CancellationToken cancellationToken)
    {
        var claimed = await database.WriteAsync(transaction => transaction.QueryAsync<OutboxMessage>(
            $"""
            with due as materialized (
                select id from {table.Name} where not_before <= @Now order by id limit @Batch {transaction.Dialect.SkipLocked})
            update {table.Name} set not_before = @until, attempts = attempts + 1 where id in (select id from due)
            returning id, destination, type, body, attempts
            """,
            new { transaction.Now, Batch, until = transaction.Now + (long)Lease.TotalMilliseconds }), cancellationToken).ConfigureAwait(false);
        return [.. claimed.OrderBy(m => m.Id)];
    }

    private static async Task<Exception?> TrySendAsync(Func<OutboxMessage, CancellationToken, Task> send, OutboxMessage message,
        CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(SendLimit);
        try
        {
            // A send to a broker that crashes may never end, whatever its token says.
            await send(message, limited.Token).WaitAsync(limited.Token).ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new TimeoutException($"The receiver did not take it within {SendLimit.TotalSeconds:0} s.");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return e;
        }
    }

    /// <summary>Forgets what was sent, puts off what failed, and gives back what this round did not get to.</summary>
    private Task SettleAsync(IReadOnlyList<OutboxMessage> sent, IReadOnlyList<OutboxMessage> failed, IReadOnlyList<OutboxMessage> claimed) =>
        database.WriteAsync(async transaction =>
        {
            if (sent.Count > 0)
            {
                await transaction.ExecuteAsync(
                    $"delete from {table.Name} where {transaction.Dialect.In("id", "sent")}",
                    new { sent = transaction.Dialect.List([.. sent.Select(m => m.Id)]) }).ConfigureAwait(false);
            }
            // The number of attempts is the fence: a message that somebody else has claimed since is left alone.
            foreach (var message in failed)
            {
                await transaction.ExecuteAsync(
                    $"update {table.Name} set not_before = @next where id = @Id and attempts = @Attempts",
                    new { message.Id, message.Attempts, next = transaction.Now + (long)Wait(message.Attempts).TotalMilliseconds }).ConfigureAwait(false);
            }
            foreach (var message in claimed.Except(sent).Except(failed))
            {
                await transaction.ExecuteAsync(
                    $"update {table.Name} set not_before = @Now, attempts = attempts - 1 where id = @Id and attempts = @Attempts",
                    new { message.Id, message.Attempts, transaction.Now }).ConfigureAwait(false);
            }
        }, CancellationToken.None);

    private static TimeSpan Wait(int attempts)
    {
        var wait = FirstWait * Math.Pow(2, Math.Min(attempts, 20) - 1);
        return wait < LongestWait ? wait : LongestWait;
    }
}

/// <summary>How far a round of the outbox is.</summary>
public enum OutboxMoment
{
    /// <summary>Messages are claimed, none is sent.</summary>
    Claimed,

    /// <summary>One more message is sent, and not yet deleted.</summary>
    Sent,

    /// <summary>The messages that were sent are deleted.</summary>
    Removed,
}

/// <summary>What became of a round.</summary>
/// <param name="Sent">Number of messages that were sent.</param>
/// <param name="Failures">Those that were not.</param>
public sealed record OutboxRound(int Sent, IReadOnlyList<OutboxFailure> Failures)
{
    /// <summary>Whether more messages are probably due.</summary>
    public bool IsFull => Sent > 0 && Sent + Failures.Count == Outbox.Batch;
}

/// <summary>A message that could not be sent, and why.</summary>
public sealed record OutboxFailure(OutboxMessage Message, Exception Error);
