using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Registry.Queries;
using Microsoft.AspNetCore.Mvc;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>
/// The part of MLflow's registry REST API that its clients use for models: registered models, versions, aliases, tags and the
/// download address, with its field names and error codes. Keys travel as its tokens do: Authorization: Bearer KEY.
/// </summary>
internal sealed class MlflowApi(ModelRegistry registry, ModelQueries models, MlflowQueries queries, VersionRegistrar registrar, ArtifactStore store)
{
    private const int MostModels = 1000, MostVersions = 10_000, LongestBody = 1 << 20, LongestOrigin = 200;
    private const string Reason = "MLflow client";

    private delegate Task<object> Handler(MlflowApi api, MlflowRequest request, HttpContext http);

    public static void Map(IEndpointRouteBuilder routes)
    {
        var all = routes.MapGroup("/api/2.0/mlflow").AddEndpointFilter<MlflowErrorFilter>().WithTags("mlflow").ExcludeFromDescription()
            .WithMetadata(new RequestSizeLimitAttribute(LongestBody));
        var (viewer, submitter) = (all.MapGroupFor(ApiRole.Viewer), all.MapGroupFor(ApiRole.Submitter));
        var (promoter, admin) = (all.MapGroupFor(ApiRole.Promoter), all.MapGroupFor(ApiRole.Admin));
        Add(submitter, "POST", "registered-models/create", (api, r, http) => api.CreateModelAsync(r, http));
        Add(viewer, "GET", "registered-models/get", (api, r, http) => api.GetModelAsync(r.Require("name"), http));
        Add(viewer, "GET", "registered-models/search", (api, r, http) => api.SearchModelsAsync(r, http));
        Add(submitter, "PATCH", "registered-models/update", (api, r, http) => api.UpdateModelAsync(r, http));
        Add(viewer, "POST", "registered-models/get-latest-versions", (api, r, http) => api.LatestAsync(r, http));
        Add(viewer, "GET", "registered-models/get-latest-versions", (api, r, http) => api.LatestAsync(r, http));
        Add(submitter, "POST", "registered-models/set-tag", (api, r, http) => api.TagModelAsync(r, r.Find("value") ?? "", http));
        Add(submitter, "DELETE", "registered-models/delete-tag", (api, r, http) => api.TagModelAsync(r, null, http));
        Add(promoter, "POST", "registered-models/alias", (api, r, http) => api.SetAliasAsync(r, http));
        Add(promoter, "DELETE", "registered-models/alias", (api, r, http) => api.DeleteAliasAsync(r, http));
        Add(viewer, "GET", "registered-models/alias", (api, r, http) => api.GetByAliasAsync(r, http));
        Add(submitter, "POST", "model-versions/create", (api, r, http) => api.CreateVersionAsync(r, http));
        Add(viewer, "GET", "model-versions/get", (api, r, http) => api.GetVersionAsync(r, http));
        Add(viewer, "GET", "model-versions/search", (api, r, http) => api.SearchVersionsAsync(r, http));
        Add(submitter, "PATCH", "model-versions/update", (api, r, http) => api.UpdateVersionAsync(r, http));
        Add(submitter, "POST", "model-versions/set-tag", (api, r, http) => api.TagVersionAsync(r, r.Find("value") ?? "", http));
        Add(submitter, "DELETE", "model-versions/delete-tag", (api, r, http) => api.TagVersionAsync(r, null, http));
        Add(viewer, "GET", "model-versions/get-download-uri", (api, r, http) => api.DownloadUriAsync(r, http));
        Add(admin, "DELETE", "model-versions/delete", (api, r, http) => api.DeleteVersionAsync(r, http));
        viewer.Map("{**path}", object (HttpRequest request) => throw Unknown(request));
    }

    private static MlflowException Unknown(HttpRequest request) =>
        new("ENDPOINT_NOT_FOUND", StatusCodes.Status404NotFound, $"This registry has no {request.Method} {request.Path}.");

    private static void Add(IEndpointRouteBuilder group, string method, string path, Handler handler) =>
        group.MapMethods(path, [method], async (HttpContext http, MlflowApi api) =>
        {
            var request = await MlflowRequest.ReadAsync(http).ConfigureAwait(false);
            return TypedResults.Json(await handler(api, request, http).ConfigureAwait(false), MlflowViews.Json);
        });

    private async Task<object> CreateModelAsync(MlflowRequest request, HttpContext http)
    {
        var name = request.Require("name");
        var isNew = await registry.CreateModelAsync(name, request.Find("description") ?? "", request.Tags(), http.RequestAborted).ConfigureAwait(false);
        if (!isNew)
            throw MlflowException.Exists($"Registered Model (name={name}) already exists.");
        return await GetModelAsync(name, http).ConfigureAwait(false);
    }

    private async Task<object> GetModelAsync(string name, HttpContext http)
    {
        var model = await RequireModelAsync(name, http).ConfigureAwait(false);
        var latest = await LatestAsync(model, http).ConfigureAwait(false);
        return new { registered_model = MlflowViews.Of(model, latest) };
    }

    private async Task<object> SearchModelsAsync(MlflowRequest request, HttpContext http)
    {
        var filter = MlflowFilter.OfModels(request.Find("filter"));
        var order = MlflowOrder.OfModels(http.Request.Query["order_by"]);
        var page = await queries.SearchModelsAsync(
            filter, order, request.Limit(MostModels), request.Find("page_token"), http.RequestAborted).ConfigureAwait(false);
        return new { registered_models = page.Items.Select(m => MlflowViews.Of(m.Model, m.Latest)), next_page_token = page.Next };
    }

    private async Task<object> UpdateModelAsync(MlflowRequest request, HttpContext http)
    {
        var name = request.Require("name");
        await RequireModelAsync(name, http).ConfigureAwait(false);
        await registry.ChangeAsync(name, null, request.Find("description"), null, http.RequestAborted).ConfigureAwait(false);
        return await GetModelAsync(name, http).ConfigureAwait(false);
    }

    private async Task<object> LatestAsync(MlflowRequest request, HttpContext http)
    {
        var model = await RequireModelAsync(request.Require("name"), http).ConfigureAwait(false);
        var latest = await LatestAsync(model, http).ConfigureAwait(false);
        return new { model_versions = latest is null ? [] : new[] { MlflowViews.Of(latest) } };
    }

    private async Task<object> TagModelAsync(MlflowRequest request, string? value, HttpContext http)
    {
        var name = request.Require("name");
        await RequireModelAsync(name, http).ConfigureAwait(false);
        var tags = new Dictionary<string, string?> { [request.Require("key")] = value };
        await registry.ChangeAsync(name, null, null, tags, http.RequestAborted).ConfigureAwait(false);
        return new { };
    }

    private async Task<object> SetAliasAsync(MlflowRequest request, HttpContext http)
    {
        var version = await RequireAsync(request, http).ConfigureAwait(false);
        await registry.MoveAliasAsync(
            version.Model, request.Require("alias"), version.Version, http.Actor(), Reason, http.RequestAborted).ConfigureAwait(false);
        return new { };
    }

    private async Task<object> DeleteAliasAsync(MlflowRequest request, HttpContext http)
    {
        var model = await RequireModelAsync(request.Require("name"), http).ConfigureAwait(false);
        var alias = request.Require("alias");
        if (model.Aliases.ContainsKey(alias)) // an alias that is not there is as good as deleted
            await registry.RemoveAliasAsync(model.Name, alias, http.Actor(), Reason, http.RequestAborted).ConfigureAwait(false);
        return new { };
    }

    private async Task<object> GetByAliasAsync(MlflowRequest request, HttpContext http)
    {
        var model = await RequireModelAsync(request.Require("name"), http).ConfigureAwait(false);
        var alias = request.Require("alias");
        var found = model.Aliases.TryGetValue(alias, out var version)
            ? await registry.FindAsync(model.Name, version, http.RequestAborted).ConfigureAwait(false)
            : null;
        return found is null
            ? throw MlflowException.Invalid($"Registered model alias {alias} not found.")
            : new { model_version = MlflowViews.Of(found) };
    }

    private async Task<object> CreateVersionAsync(MlflowRequest request, HttpContext http)
    {
        var model = await RequireModelAsync(request.Require("name"), http).ConfigureAwait(false);
        var source = request.Require("source");
        var checkpoint = await MlflowSource.ResolveAsync(source, registry, store, http.RequestAborted).ConfigureAwait(false);
        var (version, _) = await registrar.RegisterAsync(
            store,
            new Registration
            {
                Model = model.Name,
                Checkpoint = checkpoint,
                StepKey = Digest.Of(Guid.CreateVersion7().ToByteArray()), // new each time: every call makes a version, as in MLflow
                Origin = StorableText.Cut(source, LongestOrigin),
                RunId = request.Run(),
                Description = request.Find("description") ?? "",
                Tags = request.Tags(),
            }, http.RequestAborted).ConfigureAwait(false);
        return new { model_version = MlflowViews.Of(version) };
    }

    private async Task<object> SearchVersionsAsync(MlflowRequest request, HttpContext http)
    {
        var filter = MlflowFilter.OfVersions(request.Find("filter"), queries.IsSqlite);
        var order = MlflowOrder.OfVersions(http.Request.Query["order_by"]);
        var page = await queries.SearchVersionsAsync(
            filter, order, request.Limit(MostVersions), request.Find("page_token"), http.RequestAborted).ConfigureAwait(false);
        return new { model_versions = page.Items.Select(MlflowViews.Of), next_page_token = page.Next };
    }

    private async Task<object> GetVersionAsync(MlflowRequest request, HttpContext http) =>
        new { model_version = MlflowViews.Of(await RequireAsync(request, http).ConfigureAwait(false)) };

    private async Task<object> UpdateVersionAsync(MlflowRequest request, HttpContext http)
    {
        var version = await RequireAsync(request, http).ConfigureAwait(false);
        await registry.ChangeAsync(version.Model, version.Version, request.Find("description"), null, http.RequestAborted).ConfigureAwait(false);
        return new { model_version = MlflowViews.Of(await RequireAsync(request, http).ConfigureAwait(false)) };
    }

    private async Task<object> TagVersionAsync(MlflowRequest request, string? value, HttpContext http)
    {
        var version = await RequireAsync(request, http).ConfigureAwait(false);
        var tags = new Dictionary<string, string?> { [request.Require("key")] = value };
        await registry.ChangeAsync(version.Model, version.Version, null, tags, http.RequestAborted).ConfigureAwait(false);
        return new { };
    }

    private async Task<object> DeleteVersionAsync(MlflowRequest request, HttpContext http)
    {
        var version = await RequireAsync(request, http).ConfigureAwait(false);
        await registry.DeleteVersionAsync(version.Model, version.Version, http.RequestAborted).ConfigureAwait(false);
        return new { };
    }

    private async Task<object> DownloadUriAsync(MlflowRequest request, HttpContext http)
    {
        var version = await RequireAsync(request, http).ConfigureAwait(false);
        var server = $"{http.Request.Scheme}://{http.Request.Host}";
        return new { artifact_uri = $"{server}/api/v1/models/{version.Model}/versions/{version.Version}/files" };
    }

    private async Task<ModelVersion?> LatestAsync(ModelSummary model, HttpContext http) =>
        model.Latest == 0 ? null : await registry.FindAsync(model.Name, model.Latest, http.RequestAborted).ConfigureAwait(false);

    private async Task<ModelSummary> RequireModelAsync(string name, HttpContext http) =>
        await models.FindModelAsync(name, http.RequestAborted).ConfigureAwait(false)
            ?? throw MlflowException.Missing($"Registered Model with name={name} not found");

    private async Task<ModelVersion> RequireAsync(MlflowRequest request, HttpContext http)
    {
        var (name, version) = (request.Require("name"), request.Version());
        return await registry.FindAsync(name, version, http.RequestAborted).ConfigureAwait(false)
            ?? throw MlflowException.Missing($"Model Version (name={name}, version={version}) not found");
    }
}
