using System.Collections.Concurrent;
using System.Net;

namespace Espalier.Registry.Api;

/// <summary>Counts wrong keys by address, so that keys cannot be guessed at the speed of the network.</summary>
internal sealed class WrongKeys(PortalOptions options, TimeProvider time)
{
    private const int MostAddresses = 10_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<IPAddress, (int Number, long Since)> _counts = new();

    /// <summary>Whether an address has tried too many.</summary>
    public bool MustWait(IPAddress? address) =>
        _counts.TryGetValue(address ?? IPAddress.None, out var count) && time.GetElapsedTime(count.Since) < Window && count.Number >= options.WrongKeysPerMinute;

    /// <summary>An address tried a wrong one.</summary>
    public void Count(IPAddress? address)
    {
        if (_counts.Count >= MostAddresses)
            _counts.Clear();
        _counts.AddOrUpdate(address ?? IPAddress.None, _ => (1, time.GetTimestamp()),
            (_, count) => time.GetElapsedTime(count.Since) < Window ? (count.Number + 1, count.Since) : (1, time.GetTimestamp()));
    }
}
