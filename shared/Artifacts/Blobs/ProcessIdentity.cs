using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// The identity of this process for a storage account: managed identity, workload identity, or the one that the variables
/// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET name. An identity that is missing or refused is an error that
/// says what to do, within <paramref name="limit"/> even if the host's identity endpoint takes connections and never answers.
/// </summary>
internal sealed class ProcessIdentity(Uri account, TimeSpan limit) : TokenCredential
{
    // The library's own five tries take 20 to 30 s where there is no identity at all: as long as the whole limit.
    private readonly DefaultAzureCredential _credential = new(new DefaultAzureCredentialOptions { RetryPolicy = new RetryPolicy(maxRetries: 3) });

    public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
    {
        using var timed = Timed(cancellationToken);
        try
        {
            return _credential.GetToken(requestContext, timed.Token);
        }
        catch (Exception e) when (Translate(e, timed.Token, cancellationToken) is { } problem)
        {
            throw problem;
        }
    }

    public override async ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken)
    {
        using var timed = Timed(cancellationToken);
        try
        {
            return await _credential.GetTokenAsync(requestContext, timed.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (Translate(e, timed.Token, cancellationToken) is { } problem)
        {
            throw problem;
        }
    }

    private CancellationTokenSource Timed(CancellationToken cancellationToken)
    {
        var timed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timed.CancelAfter(limit);
        return timed;
    }

    /// <summary>A missing identity is for the user to fix; a refused one may recover within seconds, a silent endpoint by the step's next attempt.</summary>
    private Exception? Translate(Exception error, CancellationToken timed, CancellationToken cancellationToken) => error switch
    {
        _ when cancellationToken.IsCancellationRequested => null,
        // The library may say that it was refused when it was in the middle of something that the limit cut off.
        // Not an IOException: the storage client would ask again at once, as long each time, and report a list of failures.
        _ when timed.IsCancellationRequested => new TimeoutException(
            $"The store at {account} was not opened: the identity endpoint of this host did not answer within {limit.TotalSeconds:0} s.", error),
        CredentialUnavailableException => new UserInputException(
            $"The store at {account} cannot be opened: this process has no identity. Give its host a managed identity; or set AZURE_TENANT_ID, "
            + $"AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; or put a SAS URL or a connection string into {StoreOptions.Section}:location. {error.Message}", error),
        AuthenticationFailedException => new IOException(
            $"The store at {account} was not opened: the identity of this process was refused. Check AZURE_CLIENT_ID and the host's "
                + $"identities. {error.Message}", error),
        _ => null,
    };
}
