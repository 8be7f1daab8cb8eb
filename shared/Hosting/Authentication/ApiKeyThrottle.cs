using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Caching.Memory;

namespace Espalier.Hosting.Authentication;

/// <summary>
/// Slows down whoever guesses API keys: after <see cref="MostWrongPerMinute"/> wrong ones from an address, keys from it are not
/// even looked up. Keys that were right in the last ten minutes go on working, so a guesser cannot lock out others behind the
/// same address.
/// </summary>
public sealed class ApiKeyThrottle : IDisposable
{
    /// <summary>Wrong keys that an address may try in a minute.</summary>
    public const int MostWrongPerMinute = 20;

    private static readonly TimeSpan RightKeyLifetime = TimeSpan.FromMinutes(10);
    private readonly WrongKeyLimiter _wrong = new(MostWrongPerMinute);
    private readonly MemoryCache _right = new(new MemoryCacheOptions { SizeLimit = 10_000 });

    /// <summary>Whether a key from an address must not be looked up now.</summary>
    public bool MustWait(IPAddress? address, string key) => _wrong.MustWait(address) && !_right.TryGetValue(DigestOf(key), out _);

    /// <summary>Records how a look-up ended.</summary>
    public void Record(IPAddress? address, string key, bool isRight)
    {
        if (isRight)
            _right.Set(DigestOf(key), true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = RightKeyLifetime });
        else
            _wrong.Count(address);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _wrong.Dispose();
        _right.Dispose();
    }

    private static string DigestOf(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
