using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Registry.Tests.Mlflow;

/// <summary>
/// A registry client as MLflow's own, written from its public REST documentation: the same routes, verbs, parameters and
/// field names, tokens in the Authorization header, errors by error_code.
/// </summary>
internal sealed class MlflowClient(HttpClient http)
{
    private const string Prefix = "/api/2.0/mlflow/";

    public async Task<RegisteredModel> CreateRegisteredModelAsync(string name, IDictionary<string, string>? tags = null, string? description = null) =>
        (await SendAsync<ModelAnswer>(HttpMethod.Post, "registered-models/create", new { name, tags = List(tags), description })).RegisteredModel;

    public async Task<RegisteredModel> GetRegisteredModelAsync(string name) =>
        (await GetAsync<ModelAnswer>("registered-models/get", ("name", name))).RegisteredModel;

    public Task<ModelsAnswer> SearchRegisteredModelsAsync(string filter = "", int maxResults = 100, string? pageToken = null, string? orderBy = null) =>
        GetAsync<ModelsAnswer>(
            "registered-models/search", ("filter", filter), ("max_results", $"{maxResults}"), ("page_token", pageToken), ("order_by", orderBy));

    public Task SetRegisteredModelTagAsync(string name, string key, string value) =>
        SendAsync<JsonElement>(HttpMethod.Post, "registered-models/set-tag", new { name, key, value });

    public Task DeleteRegisteredModelTagAsync(string name, string key) =>
        SendAsync<JsonElement>(HttpMethod.Delete, "registered-models/delete-tag", new { name, key });

    public Task SetRegisteredModelAliasAsync(string name, string alias, string version) =>
        SendAsync<JsonElement>(HttpMethod.Post, "registered-models/alias", new { name, alias, version });

    public Task DeleteRegisteredModelAliasAsync(string name, string alias) =>
        SendAsync<JsonElement>(HttpMethod.Delete, "registered-models/alias", new { name, alias });

    public async Task<MlflowVersion> GetModelVersionByAliasAsync(string name, string alias) =>
        (await GetAsync<VersionAnswer>("registered-models/alias", ("name", name), ("alias", alias))).ModelVersion;

    public async Task<IReadOnlyList<MlflowVersion>> GetLatestVersionsAsync(string name) =>
        (await SendAsync<VersionsAnswer>(HttpMethod.Post, "registered-models/get-latest-versions", new { name })).ModelVersions;

    public async Task<MlflowVersion> CreateModelVersionAsync(
        string name, string source, string? runId = null, IDictionary<string, string>? tags = null, string? description = null) =>
        (await SendAsync<VersionAnswer>(
            HttpMethod.Post, "model-versions/create", new { name, source, run_id = runId, tags = List(tags), description })).ModelVersion;

    public async Task<MlflowVersion> GetModelVersionAsync(string name, string version) =>
        (await GetAsync<VersionAnswer>("model-versions/get", ("name", name), ("version", version))).ModelVersion;

    public Task<VersionsAnswer> SearchModelVersionsAsync(string filter = "", int maxResults = 100, string? pageToken = null, string? orderBy = null) =>
        GetAsync<VersionsAnswer>(
            "model-versions/search", ("filter", filter), ("max_results", $"{maxResults}"), ("page_token", pageToken), ("order_by", orderBy));

    public async Task<MlflowVersion> UpdateModelVersionAsync(string name, string version, string description) =>
        (await SendAsync<VersionAnswer>(HttpMethod.Patch, "model-versions/update", new { name, version, description })).ModelVersion;

    public Task DeleteModelVersionAsync(string name, string version) =>
        SendAsync<JsonElement>(HttpMethod.Delete, "model-versions/delete", new { name, version });

    public Task SetModelVersionTagAsync(string name, string version, string key, string value) =>
        SendAsync<JsonElement>(HttpMethod.Post, "model-versions/set-tag", new { name, version, key, value });

    public async Task<string> GetModelVersionDownloadUriAsync(string name, string version) =>
        (await GetAsync<JsonElement>("model-versions/get-download-uri", ("name", name), ("version", version))).GetProperty("artifact_uri").GetString()!;

    private static IEnumerable<object>? List(IDictionary<string, string>? tags) => tags?.Select(t => new { key = t.Key, value = t.Value });

    private Task<T> GetAsync<T>(string path, params (string Name, string? Value)[] query)
    {
        var parameters = query.Where(q => q.Value is not null).Select(q => $"{q.Name}={Uri.EscapeDataString(q.Value!)}");
        return SendAsync<T>(HttpMethod.Get, $"{path}?{string.Join('&', parameters)}", null);
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, Prefix + path) { Content = body is null ? null : JsonContent.Create(body) };
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        if (answer.IsSuccessStatusCode)
            return JsonSerializer.Deserialize<T>(text)!;
        var error = JsonSerializer.Deserialize<JsonElement>(text);
        throw new MlflowClientException(error.GetProperty("error_code").GetString()!, (int)answer.StatusCode, error.GetProperty("message").GetString()!);
    }

    internal sealed record ModelAnswer([property: JsonPropertyName("registered_model")] RegisteredModel RegisteredModel);

    internal sealed record ModelsAnswer(
        [property: JsonPropertyName("registered_models")] IReadOnlyList<RegisteredModel> RegisteredModels,
        [property: JsonPropertyName("next_page_token")] string? NextPageToken);

    internal sealed record VersionAnswer([property: JsonPropertyName("model_version")] MlflowVersion ModelVersion);

    internal sealed record VersionsAnswer(
        [property: JsonPropertyName("model_versions")] IReadOnlyList<MlflowVersion> ModelVersions,
        [property: JsonPropertyName("next_page_token")] string? NextPageToken);
}

internal sealed class MlflowClientException(string code, int status, string message) : Exception(message)
{
    public string Code { get; } = code;

    public int Status { get; } = status;
}

internal sealed record RegisteredModel
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("creation_timestamp")] public required long CreationTimestamp { get; init; }
    [JsonPropertyName("last_updated_timestamp")] public required long LastUpdatedTimestamp { get; init; }
    [JsonPropertyName("description")] public string? Description { get; init; }
    [JsonPropertyName("latest_versions")] public IReadOnlyList<MlflowVersion> LatestVersions { get; init; } = [];
    [JsonPropertyName("tags")] public IReadOnlyList<MlflowTag> Tags { get; init; } = [];
    [JsonPropertyName("aliases")] public IReadOnlyList<MlflowAlias> Aliases { get; init; } = [];
}

internal sealed record MlflowVersion
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("version")] public required string Version { get; init; }
    [JsonPropertyName("creation_timestamp")] public required long CreationTimestamp { get; init; }
    [JsonPropertyName("current_stage")] public required string CurrentStage { get; init; }
    [JsonPropertyName("description")] public string? Description { get; init; }
    [JsonPropertyName("source")] public required string Source { get; init; }
    [JsonPropertyName("run_id")] public string? RunId { get; init; }
    [JsonPropertyName("status")] public required string Status { get; init; }
    [JsonPropertyName("tags")] public IReadOnlyList<MlflowTag> Tags { get; init; } = [];
    [JsonPropertyName("aliases")] public IReadOnlyList<string> Aliases { get; init; } = [];
}

internal sealed record MlflowTag([property: JsonPropertyName("key")] string Key, [property: JsonPropertyName("value")] string Value);

internal sealed record MlflowAlias([property: JsonPropertyName("alias")] string Alias, [property: JsonPropertyName("version")] string Version);
