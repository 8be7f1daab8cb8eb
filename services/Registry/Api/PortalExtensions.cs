using Espalier.Hosting.Authentication;
using Espalier.Messaging;
using Espalier.Registry.Api.Oidc;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>The web portal: its files, its sessions, and the forwarding to the orchestrator.</summary>
public static class PortalExtensions
{
    private const long LongestBody = 2 << 20;
    private static readonly string[] Forwarded = ["runs", "queues", "status", "keys", "pipelines", "triggers", "reference"];

    /// <summary>Adds what the portal needs, by configuration (section <c>portal</c>).</summary>
    public static IServiceCollection AddPortal(this IServiceCollection services) => services
        .AddSingleton(provider =>
        {
            var options = Settings.Read<PortalOptions>(provider.GetRequiredService<IConfiguration>(), PortalOptions.Section);
            options.Validate();
            return options;
        })
        .AddHttpForwarder()
        .AddPortalAuthentication().AddSingleton<OrchestratorForwarder>().AddSingleton<PortalStream>().AddSingleton<PortalFiles>()
        .AddKeyedSingleton(PortalSessionApi.SignInLimit, (provider, _) => new WrongKeyLimiter(provider.GetRequiredService<PortalOptions>().WrongKeysPerMinute));

    /// <summary>Maps the portal. Other endpoints may be mapped before and after.</summary>
    /// <exception cref="Contracts.UserInputException">A setting is wrong.</exception>
    public static void MapPortal(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<PortalOptions>();
        app.Use(next => context => PortalHeaders.SetAsync(context, next));
        app.UsePortalAuthentication(options);
        app.Use(TreatEmptyBodyAsJson);
        app.UseRouting(); // after what changes the request
        app.MapPortalSession();
        app.MapGet(OidcSignIn.Path, OidcSignIn.BeginAsync).ExcludeFromDescription();
        var forwarder = app.Services.GetRequiredService<OrchestratorForwarder>();
        foreach (var part in Forwarded)
        {
            var group = app.MapGroup($"/api/v1/{part}").MapGroupFor(ApiRole.Viewer);
            group.MapMethods("{**rest}", ["GET", "POST", "PUT", "DELETE"], (HttpContext context) => forwarder.ForwardAsync(context))
                .ExcludeFromDescription().WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(LongestBody));
        }
        app.MapGroup("/api/v1/live").MapGroupFor(ApiRole.Viewer).MapGet("", app.Services.GetRequiredService<PortalStream>().Open).ExcludeFromDescription();
        app.MapGroup("/api/v1/crash-matrix").MapGroupFor(ApiRole.Admin).MapGet("", CrashMatrix).ExcludeFromDescription();
        var files = app.Services.GetRequiredService<PortalFiles>();
        // What the API does not accept, such as a body without its content type, must not be answered with a page of the portal.
        app.MapGroup("/api").MapGroupFor(ApiRole.Viewer).MapFallback("{**path}", (HttpRequest request) => Unknown(request)).ExcludeFromDescription();
        app.MapFallback("{**path}", files.ServeAsync);
    }

    /// <summary>A request without a body has no content type, and routing would skip every route with an optional body.</summary>
    private static Task TreatEmptyBodyAsJson(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        if (request.ContentType is null && request.ContentLength is null or 0 && !isRead && request.Path.StartsWithSegments("/api"))
            request.ContentType = "application/json";
        return next(context);
    }

    private static ProblemHttpResult Unknown(HttpRequest request)
    {
        var hasNoBody = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsDelete(request.Method);
        return TypedResults.Problem(
            $"There is no {request.Method} {request.Path} for the content type '{request.ContentType}': see /openapi/v1.json.",
            statusCode: hasNoBody ? StatusCodes.Status404NotFound : StatusCodes.Status415UnsupportedMediaType);
    }

    private static IResult CrashMatrix(PortalOptions options) =>
        options.CrashMatrix.Length > 0 && File.Exists(options.CrashMatrix)
            ? TypedResults.PhysicalFile(Path.GetFullPath(options.CrashMatrix), "application/json")
            : TypedResults.Problem("No crash matrix was written yet; portal:crash-matrix names the file.", statusCode: StatusCodes.Status404NotFound);
}
