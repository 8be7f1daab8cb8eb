namespace Espalier.Stages.Worker;

/// <summary>
/// The worker's own view of its lease, by its monotonic clock and counted from before each request, so that the worker knows
/// that the lease is over before the orchestrator does, whatever the wall clocks say.
/// </summary>
public sealed class StepLease(TimeSpan length, TimeProvider time)
{
    private long _confirmedAt = time.GetTimestamp();

    /// <summary>How long until the lease is over; zero or less when it is.</summary>
    public TimeSpan Remaining => length - time.GetElapsedTime(Interlocked.Read(ref _confirmedAt));

    /// <summary>Whether the worker may no longer publish anything.</summary>
    public bool IsOver => Remaining <= TimeSpan.Zero;

    /// <summary>A mark to take before a request that may renew the lease.</summary>
    public long Mark() => time.GetTimestamp();

    /// <summary>Sets what remains, as somebody said who counts the same lease.</summary>
    public void Set(TimeSpan remaining) =>
        Interlocked.Exchange(ref _confirmedAt, time.GetTimestamp() - (long)((length - remaining).TotalSeconds * time.TimestampFrequency));

    /// <summary>The request was answered: the lease counts from its mark.</summary>
    public void Renew(long mark) => Interlocked.Exchange(ref _confirmedAt, mark);
}
