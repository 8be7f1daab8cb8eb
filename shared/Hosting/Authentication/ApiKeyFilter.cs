using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Hosting.Authentication;

/// <summary>Lets a request through when its <c>Authorization: Bearer KEY</c> has at least the role.</summary>
internal sealed class ApiKeyFilter(ApiRole atLeast) : IEndpointFilter
{
    private const int LongestKey = 500;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var key = AuthenticationHeaderValue.TryParse(http.Request.Headers.Authorization, out var header)
            && header is { Scheme: "Bearer", Parameter: { Length: > 0 and <= LongestKey } given }
            ? given
            : null;
        var guesses = http.RequestServices.GetService<KeyGuesses>();
        if (key is not null && guesses?.MustWait(http.Connection.RemoteIpAddress, key) == true)
        {
            http.Response.Headers.RetryAfter = "60";
            return TypedResults.Problem("Too many wrong keys from this address: wait a minute.", statusCode: StatusCodes.Status429TooManyRequests);
        }
        ApiCaller? caller;
        try
        {
            caller = key is null
                ? null
                : await http.RequestServices.GetRequiredService<IApiKeys>().FindCallerAsync(key, http.RequestAborted).ConfigureAwait(false);
        }
        catch (ApiKeysUnavailableException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
        if (key is not null)
            guesses?.Count(http.Connection.RemoteIpAddress, key, isRight: caller is not null);
        if (caller is null)
            return TypedResults.Problem("A key is needed: Authorization: Bearer KEY.", statusCode: StatusCodes.Status401Unauthorized);
        http.Features.Set(http.Features.Get<ApiPerson>() is { } person ? caller with { Name = person.Name } : caller);
        return caller.Role < atLeast
            ? TypedResults.Problem(
                $"The key's role '{Name(caller.Role)}' is not enough: this needs '{Name(atLeast)}'.", statusCode: StatusCodes.Status403Forbidden)
            : await next(context).ConfigureAwait(false);
    }

    private static string Name(ApiRole role) => role.ToString().ToLowerInvariant();
}

/// <summary>Marks endpoints that need a key.</summary>
public static class ApiKeyRouteExtensions
{
    /// <summary>A group without a path of its own whose endpoints need a key of at least this role.</summary>
    public static RouteGroupBuilder MapGroupFor(this IEndpointRouteBuilder routes, ApiRole atLeast) =>
        routes.MapGroup("").AddEndpointFilter(new ApiKeyFilter(atLeast)).WithMetadata(new ApiRoleMetadata(atLeast));

    /// <summary>Who makes the request; null where no key is needed.</summary>
    public static ApiCaller? Caller(this HttpContext http) => http.Features.Get<ApiCaller>();
}

/// <summary>Which role an endpoint needs; tests look for endpoints without it.</summary>
/// <param name="AtLeast">The role.</param>
public sealed record ApiRoleMetadata(ApiRole AtLeast);
