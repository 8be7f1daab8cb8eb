namespace Espalier.Hosting.Authentication;

/// <summary>Looks keys up.</summary>
public interface IApiKeys
{
    /// <summary>What a key may do, or null when there is no such key.</summary>
    /// <exception cref="ApiKeysUnavailableException">The keys cannot be looked up now.</exception>
    Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken);

    /// <summary>Whose key it is, for the record, and what it may do; null when there is no such key.</summary>
    /// <exception cref="ApiKeysUnavailableException">The keys cannot be looked up now.</exception>
    async Task<ApiCaller?> FindCallerAsync(string key, CancellationToken cancellationToken) =>
        await FindRoleAsync(key, cancellationToken).ConfigureAwait(false) is { } role ? new ApiCaller(role.ToString().ToLowerInvariant(), role) : null;
}

/// <summary>The caller of a request.</summary>
/// <param name="Name">Name of the key.</param>
/// <param name="Role">What it may do.</param>
public sealed record ApiCaller(string Name, ApiRole Role);

/// <summary>The person behind a request whose key stands for a role only; set before the key is checked.</summary>
/// <param name="Name">As the identity provider says.</param>
public sealed record ApiPerson(string Name);

/// <summary>The keys cannot be looked up now; the request may be made again later.</summary>
public sealed class ApiKeysUnavailableException(string message, Exception? innerException = null) : Exception(message, innerException);
