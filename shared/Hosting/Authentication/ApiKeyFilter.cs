using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Hosting.Authentication;

/// <summary>Lets a request through when its <c>Authorization: Bearer KEY</c> has at least the role.</summary>
internal sealed class ApiKeyFilter(ApiRole atLeast) : IEndpointFilter
{
    private const int LongestKey = 500;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (KeyOf(http.Request) is not { } key)
            return Unauthorized();
        var address = http.Connection.RemoteIpAddress;
        var throttle = http.RequestServices.GetService<ApiKeyThrottle>();
        if (throttle?.MustWait(address, key) == true)
            return http.TooManyWrongKeys();
        ApiCaller? caller;
        try
        {
            caller = await http.RequestServices.GetRequiredService<IApiKeys>().FindCallerAsync(key, http.RequestAborted).ConfigureAwait(false);
        }
        catch (ApiKeysUnavailableException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
        throttle?.Record(address, key, isRight: caller is not null);
        if (caller is null)
            return Unauthorized();
        http.Features.Set(http.Features.Get<ApiPerson>() is { } person ? caller with { Name = person.Name } : caller);
        return caller.Role < atLeast
            ? TypedResults.Problem(
                $"The key's role '{Name(caller.Role)}' is not enough: this needs '{Name(atLeast)}'.", statusCode: StatusCodes.Status403Forbidden)
            : await next(context).ConfigureAwait(false);
    }

    private static string? KeyOf(HttpRequest request) =>
        AuthenticationHeaderValue.TryParse(request.Headers.Authorization, out var header)
            && header is { Scheme: "Bearer", Parameter: { Length: > 0 and <= LongestKey } key } ? key : null;

    private static IResult Unauthorized() => TypedResults.Problem("A key is needed: Authorization: Bearer KEY.", statusCode: StatusCodes.Status401Unauthorized);

    private static string Name(ApiRole role) => role.ToString().ToLowerInvariant();
}
