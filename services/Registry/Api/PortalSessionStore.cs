using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;

namespace Espalier.Registry.Api;

/// <summary>
/// Sessions of browsers, kept in memory only: the cookie holds an encrypted random id, never the key, and signing out or a restart
/// ends a session for good. What a session may do is asked of its key at every request, so a revoked key is worth nothing here.
/// </summary>
internal sealed class PortalSessionStore : ITicketStore
{
    private const int MostSessions = 10_000;
    private readonly ConcurrentDictionary<string, AuthenticationTicket> _tickets = new(StringComparer.Ordinal);

    public Task<string> StoreAsync(AuthenticationTicket ticket)
    {
        if (_tickets.Count >= MostSessions)
            DropOldestHalf();
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        _tickets[id] = ticket;
        return Task.FromResult(id);
    }

    /// <summary>Extends a session, unless it was ended meanwhile.</summary>
    public Task RenewAsync(string key, AuthenticationTicket ticket)
    {
        if (_tickets.TryGetValue(key, out var old))
            _tickets.TryUpdate(key, ticket, old);
        return Task.CompletedTask;
    }

    public Task<AuthenticationTicket?> RetrieveAsync(string key) => Task.FromResult(_tickets.GetValueOrDefault(key));

    /// <summary>
    /// A request that signs in has no session: cookie authentication would put the new one under the id of the old, which somebody
    /// else may have planted in this browser.
    /// </summary>
    public Task<AuthenticationTicket?> RetrieveAsync(string key, HttpContext httpContext, CancellationToken cancellationToken) =>
        PortalSessionApi.IsSignIn(httpContext.Request) ? Task.FromResult<AuthenticationTicket?>(null) : RetrieveAsync(key);

    public Task RemoveAsync(string key)
    {
        _tickets.TryRemove(key, out _);
        return Task.CompletedTask;
    }

    private void DropOldestHalf()
    {
        foreach (var (id, _) in _tickets.OrderBy(t => t.Value.Properties.IssuedUtc).Take(MostSessions / 2).ToList())
            _tickets.TryRemove(id, out _);
    }
}
