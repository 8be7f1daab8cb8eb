using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Hosting.Authentication;

/// <summary>
/// Slows down whoever guesses keys: after some wrong ones from an address, further unknown keys from it are not even looked up
/// for the rest of a minute. Keys that were right lately go on working, so a guesser cannot lock others out.
/// </summary>
public sealed class KeyGuesses(TimeProvider time)
{
    /// <summary>Wrong keys that an address may try in a minute.</summary>
    public const int MostInAMinute = 20;

    private const int MostRemembered = 10_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<IPAddress, (int Number, long Since)> _wrong = new();
    private readonly ConcurrentDictionary<string, long> _right = new();

    /// <summary>Whether a key from an address must not be looked up now.</summary>
    public bool MustWait(IPAddress? address, string key) =>
        _wrong.TryGetValue(address ?? IPAddress.None, out var wrong) && wrong.Number >= MostInAMinute && time.GetElapsedTime(wrong.Since) < Window
            && !(_right.TryGetValue(DigestOf(key), out var at) && time.GetElapsedTime(at) < Memory);

    /// <summary>Remembers how a look-up ended.</summary>
    public void Count(IPAddress? address, string key, bool isRight)
    {
        if (isRight)
        {
            if (_right.Count >= MostRemembered)
                _right.Clear();
            _right[DigestOf(key)] = time.GetTimestamp();
            return;
        }
        if (_wrong.Count >= MostRemembered)
            _wrong.Clear();
        _wrong.AddOrUpdate(address ?? IPAddress.None, _ => (1, time.GetTimestamp()),
            (_, wrong) => time.GetElapsedTime(wrong.Since) < Window ? (wrong.Number + 1, wrong.Since) : (1, time.GetTimestamp()));
    }

    private static string DigestOf(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
