using System.Net;
using System.Threading.RateLimiting;

namespace Espalier.Hosting.Authentication;

/// <summary>
/// Limits wrong keys by address, so that keys cannot be guessed at the speed of the network: an address that has tried
/// <paramref name="mostPerMinute"/> wrong keys in a minute must wait. Right keys cost nothing.
/// </summary>
public sealed class WrongKeyLimiter(int mostPerMinute) : IDisposable
{
    // A sliding window: with a fixed one, an address could try twice as many around its end.
    private readonly PartitionedRateLimiter<IPAddress> _limiter = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address =>
        RateLimitPartition.GetSlidingWindowLimiter(address, _ => new()
        {
            PermitLimit = mostPerMinute,
            Window = TimeSpan.FromMinutes(1),
            SegmentsPerWindow = 6,
        }));

    /// <summary>Whether an address must not try any key now.</summary>
    public bool MustWait(IPAddress? address)
    {
        using var lease = _limiter.AttemptAcquire(address ?? IPAddress.None, permitCount: 0);
        return !lease.IsAcquired;
    }

    /// <summary>Counts a wrong key.</summary>
    public void Count(IPAddress? address) => _limiter.AttemptAcquire(address ?? IPAddress.None).Dispose();

    /// <inheritdoc/>
    public void Dispose() => _limiter.Dispose();
}
