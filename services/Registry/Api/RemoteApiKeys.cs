using System.Collections.Concurrent;
using System.Text;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Registry.Api;

/// <summary>
/// Asks the orchestrator, which keeps the keys, and remembers the answer for a while: a key that was taken away is refused
/// here within that time. Only a digest of the key is sent.
/// </summary>
internal sealed class RemoteApiKeys(IBus bus, TimeProvider time) : IApiKeys
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(7);
    private const int MostRemembered = 10_000;
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(15);
    private readonly ConcurrentDictionary<Digest, (ApiCaller? Caller, long At)> _known = new();

    public async Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken) =>
        (await FindCallerAsync(key, cancellationToken).ConfigureAwait(false))?.Role;

    public async Task<ApiCaller?> FindCallerAsync(string key, CancellationToken cancellationToken)
    {
        var digest = Digest.Of(Encoding.UTF8.GetBytes(key));
        if (_known.TryGetValue(digest, out var known) && time.GetElapsedTime(known.At) < Memory)
            return known.Caller;
        var caller = await AskAsync(digest, cancellationToken).ConfigureAwait(false);
        // Wrong keys cost an entry too, so that guessing does not fill the memory.
        if (_known.Count >= MostRemembered)
            _known.Clear();
        _known[digest] = (caller, time.GetTimestamp());
        return caller;
    }

    private async Task<ApiCaller?> AskAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            var client = bus.CreateRequestClient<FindKeyRole>(EndpointNames.AddressOf(EndpointNames.Orchestrator));
            var answer = await client.GetResponse<KeyRole>(new FindKeyRole(digest), cancellationToken, RequestTimeout.After(s: 5))
                .WaitAsync(Limit, cancellationToken).ConfigureAwait(false);
            return answer.Message.Role is { } role ? new ApiCaller(answer.Message.Name ?? role, Enum.Parse<ApiRole>(role, ignoreCase: true)) : null;
        }
        catch (Exception e) when (e is RequestException or MassTransitException or TimeoutException)
        {
            throw new ApiKeysUnavailableException("The orchestrator, which keeps the keys, does not answer; try again.", e);
        }
    }
}
