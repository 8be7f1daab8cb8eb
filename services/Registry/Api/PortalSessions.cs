using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Espalier.Registry.Api;

/// <summary>Who is signed in.</summary>
/// <param name="Key">The API key that the session acts with.</param>
/// <param name="Name">The person, as the identity provider says; empty after sign-in by key.</param>
internal sealed record PortalSession(string Key, string Name);

/// <summary>
/// Sessions of browsers, kept in memory only: the cookie holds 256 random bits, never the key, and signing out or a restart ends a
/// session for good. What a session may do is asked of its key at every request, so a key that was taken away is worth nothing here.
/// </summary>
internal sealed class PortalSessions(PortalOptions options, TimeProvider time)
{
    private const int MostSessions = 10_000;
    private readonly ConcurrentDictionary<string, (PortalSession Session, long UsedAt)> _sessions = new(StringComparer.Ordinal);

    /// <summary>Opens a session; returns its id.</summary>
    public string Open(PortalSession session)
    {
        if (_sessions.Count >= MostSessions)
            Forget();
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        _sessions[id] = (session, time.GetTimestamp());
        return id;
    }

    /// <summary>The session of an id, or null when it ended or never was.</summary>
    public PortalSession? Find(string id)
    {
        if (!_sessions.TryGetValue(id, out var found))
            return null;
        if (time.GetElapsedTime(found.UsedAt) > options.SessionIdle)
        {
            _sessions.TryRemove(id, out _);
            return null;
        }
        _sessions[id] = found with { UsedAt = time.GetTimestamp() };
        return found.Session;
    }

    /// <summary>Ends a session.</summary>
    public void Close(string id) => _sessions.TryRemove(id, out _);

    /// <summary>Drops the half that was not used for the longest time.</summary>
    private void Forget()
    {
        foreach (var (id, _) in _sessions.OrderBy(s => s.Value.UsedAt).Take(MostSessions / 2).ToList())
            _sessions.TryRemove(id, out _);
    }
}
