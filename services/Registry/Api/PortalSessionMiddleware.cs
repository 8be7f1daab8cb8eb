using Espalier.Hosting.Authentication;
using Microsoft.Extensions.Primitives;

namespace Espalier.Registry.Api;

/// <summary>
/// Replaces the session of a request by the key that it stands for, so that everything behind sees an ordinary
/// <c>Authorization</c> header. A request that changes something counts only when the portal's own script sent it: another site
/// can neither set the header <see cref="Header"/> nor have our origin.
/// </summary>
internal sealed class PortalSessionMiddleware(RequestDelegate next)
{
    /// <summary>Header that every request of the portal carries.</summary>
    public const string Header = "X-Espalier-Request";

    public async Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (StringValues.IsNullOrEmpty(request.Headers.Authorization) && PortalSession.Of(context) is { } session)
        {
            if (!IsSafe(request.Method) && !IsOwn(request))
            {
                await TypedResults.Problem(
                    $"This request did not come from the portal: it needs the header {Header}: 1 and the portal's own origin.",
                    statusCode: StatusCodes.Status403Forbidden)
                    .ExecuteAsync(context).ConfigureAwait(false);
                return;
            }
            request.Headers.Authorization = $"Bearer {session.Key}";
            context.Features.Set(session);
            if (session.Name.Length > 0)
                context.Features.Set(new ApiPerson(session.Name));
        }
        await next(context).ConfigureAwait(false);
    }

    /// <summary>Whether the portal's own script sent a request.</summary>
    public static bool IsOwn(HttpRequest request) =>
        request.Headers[Header] == "1"
        && Uri.TryCreate(request.Headers.Origin, UriKind.Absolute, out var origin)
        && string.Equals(origin.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);

    private static bool IsSafe(string method) => HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method);
}
