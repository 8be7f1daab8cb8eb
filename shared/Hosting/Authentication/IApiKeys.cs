namespace Espalier.Hosting.Authentication;

/// <summary>Knows which keys exist.</summary>
public interface IApiKeys
{
    /// <summary>What a key may do, or null when there is no such key.</summary>
    /// <exception cref="ApiKeysUnavailableException">Nobody can say at the moment.</exception>
    Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken);
}

/// <summary>The keys cannot be looked up now; the request may be made again later.</summary>
public sealed class ApiKeysUnavailableException(string message, Exception? innerException = null) : Exception(message, innerException);
