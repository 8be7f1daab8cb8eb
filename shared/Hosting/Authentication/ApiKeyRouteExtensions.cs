using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Espalier.Hosting.Authentication;

/// <summary>Endpoints that need a key.</summary>
public static class ApiKeyRouteExtensions
{
    /// <summary>A group without a path of its own whose endpoints need a key of at least this role.</summary>
    public static RouteGroupBuilder MapGroupFor(this IEndpointRouteBuilder routes, ApiRole atLeast) =>
        routes.MapGroup("").AddEndpointFilter(new ApiKeyFilter(atLeast)).WithMetadata(new ApiRoleMetadata(atLeast));

    /// <summary>Who makes the request; null where no key is needed.</summary>
    public static ApiCaller? Caller(this HttpContext http) => http.Features.Get<ApiCaller>();

    /// <summary>The answer to an address that has tried too many wrong keys.</summary>
    public static IResult TooManyWrongKeys(this HttpContext http)
    {
        http.Response.Headers.RetryAfter = "60";
        return TypedResults.Problem("Too many wrong keys from this address: wait a minute.", statusCode: StatusCodes.Status429TooManyRequests);
    }
}

/// <summary>Which role an endpoint needs; tests look for endpoints without it.</summary>
/// <param name="AtLeast">The role.</param>
public sealed record ApiRoleMetadata(ApiRole AtLeast);
