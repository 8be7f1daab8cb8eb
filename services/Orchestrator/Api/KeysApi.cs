using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;

namespace Espalier.Orchestrator.Api;

/// <summary>API keys over HTTP: <c>/api/v1/keys</c>, for administrators.</summary>
internal static class KeysApi
{
    private const int LongestName = 100;

    public static void MapKeysApi(this IEndpointRouteBuilder app)
    {
        var keys = app.MapGroup("/api/v1/keys").MapGroupFor(ApiRole.Admin);
        keys.MapGet("", async (ApiKeys store, CancellationToken cancellationToken) =>
            TypedResults.Ok(await store.ListAsync(cancellationToken).ConfigureAwait(false)))
            .Describe<IReadOnlyList<ApiKeyView>>("listKeys", "API keys, without the keys themselves.");
        keys.MapPost("", CreateAsync).Describe<NewApiKey>("createKey", "Makes a key, which is shown only now.");
        keys.MapDelete("{idOrName}", RevokeAsync).Describe<RevokedKeys>("revokeKey", "Revokes a key, at once.");
    }

    private static async Task<IResult> CreateAsync(string name, string role, ApiKeys keys, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(name) || name.Length > LongestName)
            return TypedResults.Problem($"A key needs a name of 1 to {LongestName} characters.", statusCode: StatusCodes.Status422UnprocessableEntity);
        if (name == FirstApiKey.Administrator)
        {
            return TypedResults.Problem(
                $"The key '{name}' is the one of the settings, and replaced when they change: choose another name.",
                statusCode: StatusCodes.Status422UnprocessableEntity);
        }
        if (!Enum.TryParse<ApiRole>(role, ignoreCase: true, out var known) || !Enum.IsDefined(known))
        {
            return TypedResults.Problem(
                $"There is no role '{role}': expected viewer, submitter, promoter or admin.", statusCode: StatusCodes.Status422UnprocessableEntity);
        }
        return TypedResults.Ok(new NewApiKey(name, known, await keys.CreateAsync(name, known, cancellationToken).ConfigureAwait(false)));
    }

    private static async Task<IResult> RevokeAsync(string idOrName, ApiKeys keys, CancellationToken cancellationToken)
    {
        try
        {
            var revoked = await keys.RevokeAsync(idOrName, cancellationToken).ConfigureAwait(false);
            return revoked > 0
                ? TypedResults.Ok(new RevokedKeys(revoked))
                : TypedResults.Problem($"There is no key '{idOrName}'.", statusCode: StatusCodes.Status404NotFound);
        }
        catch (UserInputException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status409Conflict);
        }
    }
}

/// <summary>The only time that a key is shown.</summary>
public sealed record NewApiKey(string Name, ApiRole Role, string Key);

/// <summary>How many keys were revoked.</summary>
public sealed record RevokedKeys(int Revoked);
