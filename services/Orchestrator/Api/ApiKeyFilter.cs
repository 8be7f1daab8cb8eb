using System.Net.Http.Headers;

namespace Espalier.Orchestrator.Api;

/// <summary>Lets a request through when its <c>Authorization: Bearer KEY</c> has at least the role.</summary>
internal sealed class ApiKeyFilter(ApiRole atLeast) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var keys = http.RequestServices.GetRequiredService<ApiKeys>();
        var role = AuthenticationHeaderValue.TryParse(http.Request.Headers.Authorization, out var header)
            && header is { Scheme: "Bearer", Parameter: { Length: > 0 } key }
                ? await keys.FindRoleAsync(key, http.RequestAborted).ConfigureAwait(false)
                : null;
        if (role is null)
            return TypedResults.Problem("A key is needed: Authorization: Bearer KEY.", statusCode: StatusCodes.Status401Unauthorized);
        return role < atLeast
            ? TypedResults.Problem($"The key's role '{role}' is not enough: this needs '{atLeast}'.", statusCode: StatusCodes.Status403Forbidden)
            : await next(context).ConfigureAwait(false);
    }
}
