using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Registry.Api.Mlflow;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Lineages;
using Espalier.Registry.Queries;
using Microsoft.AspNetCore.Mvc;

namespace Espalier.Registry.Api;

/// <summary>The registry over HTTP, under <c>/api/v1</c>. Reading needs the role viewer, tags and uploads submitter, aliases promoter.</summary>
public static class ModelsApi
{
    private const int LongestBody = 1 << 20;

    /// <summary>Adds what the routes need beside the registry itself: the keys, which the orchestrator keeps, and the document that describes them.</summary>
    public static IServiceCollection AddModelsApi(this IServiceCollection services)
    {
        services.AddHttpJson(WireJson.Options);
        return services.AddProblemDetails()
            .AddApiDocument(
                "Espalier registry", "Models, versions, aliases, lineage. Keys go into the header: Authorization: Bearer KEY.",
                new Dictionary<Type, string> { [typeof(Digest)] = Digest.Pattern })
            .AddSingleton<IApiKeys, RemoteApiKeys>().AddSingleton<VersionFiles>().AddSingleton<VersionLineage>().AddSingleton<VersionStandings>()
            .AddSingleton<MlflowQueries>().AddSingleton<MlflowApi>();
    }

    /// <summary>Maps the routes.</summary>
    public static IEndpointRouteBuilder MapModelsApi(this IEndpointRouteBuilder routes)
    {
        if (routes is IApplicationBuilder app)
            app.Use(next => http => UnreadableRequests.ExplainAsync(http, next));
        routes.MapApiDocument();
        var api = routes.MapGroup("/api/v1").AddEndpointFilter<RefusalFilter>().WithTags("registry").WithMetadata(new RequestSizeLimitAttribute(LongestBody));
        var (viewer, submitter) = (api.MapGroupFor(ApiRole.Viewer), api.MapGroupFor(ApiRole.Submitter));
        var (promoter, admin) = (api.MapGroupFor(ApiRole.Promoter), api.MapGroupFor(ApiRole.Admin));
        ModelRoutes.Map(viewer, submitter);
        VersionRoutes.Map(viewer, submitter);
        AliasRoutes.Map(viewer, promoter);
        FileRoutes.Map(viewer);
        CompareRoutes.Map(viewer);
        SearchRoutes.Map(viewer);
        GateRoutes.Map(viewer, promoter, admin);
        SignatureRoutes.Map(viewer, promoter, admin);
        StorageRoutes.Map(viewer, admin);
        EventRoutes.Map(viewer, admin);
        UploadRoutes.Map(viewer, submitter);
        TextUploadRoutes.Map(submitter);
        DatasetRoutes.Map(viewer, promoter);
        MlflowApi.Map(routes);
        return routes;
    }
}
