using Espalier.Contracts;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Mlflow;

/// <summary>An MLflow client against the real registry.</summary>
public sealed class MlflowApiTests : IAsyncLifetime
{
    private RegistryServer _server = null!;
    private HttpClient _http = null!;
    private MlflowClient _client = null!;
    private ManifestRef _checkpoint = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _http = _server.Client();
        _client = new MlflowClient(_http);
        _checkpoint = await TinyCheckpoints.CreateAsync(_server.Store);
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Model_CreateThenGet_KeepsEverything()
    {
        var made = await _client.CreateRegisteredModelAsync("moe", new Dictionary<string, string> { ["team"] = "core" }, "a small one");

        var found = await _client.GetRegisteredModelAsync("moe");

        found.Description.ShouldBe("a small one");
        found.Tags.ShouldBe([new MlflowTag("team", "core")]);
        found.CreationTimestamp.ShouldBe(made.CreationTimestamp);
        found.LatestVersions.ShouldBeEmpty();
    }

    [Fact]
    public async Task Model_CreateTwice_AlreadyExists() =>
        (await FailsAsync(async () =>
        {
            await _client.CreateRegisteredModelAsync("moe");
            await _client.CreateRegisteredModelAsync("moe");
        })).ShouldBe(("RESOURCE_ALREADY_EXISTS", 400));

    [Fact]
    public async Task Unknown_ModelAndVersion_DoNotExist()
    {
        (await FailsAsync(() => _client.GetRegisteredModelAsync("none"))).ShouldBe(("RESOURCE_DOES_NOT_EXIST", 404));
        (await FailsAsync(() => _client.GetModelVersionAsync("none", "1"))).ShouldBe(("RESOURCE_DOES_NOT_EXIST", 404));
        var source = "espalier:/sha256/" + _checkpoint.Root.Hex;
        (await FailsAsync(() => _client.CreateModelVersionAsync("none", source))).ShouldBe(("RESOURCE_DOES_NOT_EXIST", 404));
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("")]
    [InlineData("<script>alert(1)</script>")]
    public async Task Model_UnusableName_IsInvalid(string name) =>
        (await FailsAsync(() => _client.CreateRegisteredModelAsync(name))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));

    [Fact]
    public async Task Version_FromStoreThenFromModel_CountsUpAndDownloads()
    {
        await _client.CreateRegisteredModelAsync("moe");
        var tags = new Dictionary<string, string> { ["step"] = "one" };
        var first = await _client.CreateModelVersionAsync(
            "moe", "espalier:/sha256/" + _checkpoint.Root.Hex, tags: tags, description: "from the store");
        var second = await _client.CreateModelVersionAsync("moe", "models:/moe/1");

        var uri = await _client.GetModelVersionDownloadUriAsync("moe", second.Version);
        var config = await _http.GetStringAsync(uri + "/config.json");

        (first.Version, second.Version).ShouldBe(("1", "2"));
        first.Status.ShouldBe("READY");
        first.Tags.ShouldBe([new MlflowTag("step", "one")]);
        second.Source.ShouldBe(first.Source);
        config.ShouldContain("num_experts");
        (await _client.GetLatestVersionsAsync("moe")).ShouldHaveSingleItem().Version.ShouldBe("2");
    }

    [Fact]
    public async Task Version_FromElsewhere_IsInvalid()
    {
        await _client.CreateRegisteredModelAsync("moe");

        (await FailsAsync(() => _client.CreateModelVersionAsync("moe", "s3://bucket/model"))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));
        (await FailsAsync(() => _client.CreateModelVersionAsync("moe", "espalier:/sha256/" + new string('0', 64)))).ShouldBe(("RESOURCE_DOES_NOT_EXIST", 404));
    }

    [Fact]
    public async Task Alias_SetGetMoveDelete_WorksAndIsRecorded()
    {
        await _client.CreateRegisteredModelAsync("moe");
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex);
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex);

        await _client.SetRegisteredModelAliasAsync("moe", "champion", "1");
        await _client.SetRegisteredModelAliasAsync("moe", "champion", "2");

        (await _client.GetModelVersionByAliasAsync("moe", "champion")).Version.ShouldBe("2");
        (await _client.GetRegisteredModelAsync("moe")).Aliases.ShouldBe([new MlflowAlias("champion", "2")]);
        (await _client.GetModelVersionAsync("moe", "2")).Aliases.ShouldBe(["champion"]);
        await _client.DeleteRegisteredModelAliasAsync("moe", "champion");
        (await FailsAsync(() => _client.GetModelVersionByAliasAsync("moe", "champion"))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));
        (await _server.Registry.MovesAsync("moe", default)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task Tags_OfModelsAndVersions_CanBeSetAndTakenAway()
    {
        await _client.CreateRegisteredModelAsync("moe");
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex);

        await _client.SetRegisteredModelTagAsync("moe", "a", "1");
        await _client.SetRegisteredModelTagAsync("moe", "b", "2");
        await _client.DeleteRegisteredModelTagAsync("moe", "a");
        await _client.SetModelVersionTagAsync("moe", "1", "c", "3");
        var updated = await _client.UpdateModelVersionAsync("moe", "1", "now described");

        (await _client.GetRegisteredModelAsync("moe")).Tags.ShouldBe([new MlflowTag("b", "2")]);
        updated.Tags.ShouldBe([new MlflowTag("c", "3")]);
        updated.Description.ShouldBe("now described");
    }

    [Fact]
    public async Task Search_WithFiltersAndPages_FindsModelsAndVersions()
    {
        foreach (var name in new[] { "moe-a", "moe-b", "dense-c" })
        {
            await _client.CreateRegisteredModelAsync(name, new Dictionary<string, string> { ["kind"] = name.Split('-')[0] });
            await _client.CreateModelVersionAsync(name, _checkpoint.Root.Hex);
            await _client.CreateModelVersionAsync(name, _checkpoint.Root.Hex);
        }

        var like = await _client.SearchRegisteredModelsAsync("name LIKE 'moe%'");
        var tagged = await _client.SearchRegisteredModelsAsync("tags.kind = 'dense'");
        var first = await _client.SearchRegisteredModelsAsync(maxResults: 2);
        var rest = await _client.SearchRegisteredModelsAsync(maxResults: 2, pageToken: first.NextPageToken);
        var versions = await _client.SearchModelVersionsAsync("name = 'moe-b' AND version_number > 1");

        like.RegisteredModels.Select(m => m.Name).ShouldBe(["moe-a", "moe-b"]);
        tagged.RegisteredModels.ShouldHaveSingleItem().Name.ShouldBe("dense-c");
        first.RegisteredModels.Concat(rest.RegisteredModels).Select(m => m.Name).ShouldBe(["dense-c", "moe-a", "moe-b"]);
        rest.NextPageToken.ShouldBeNull();
        versions.ModelVersions.ShouldHaveSingleItem().Version.ShouldBe("2");
    }

    [Theory]
    [InlineData("name LIKE 'Moe%'", new[] { "Moe-c" })] // capitals count in LIKE
    [InlineData("name ILIKE 'Moe%'", new[] { "Moe-c", "moe-a", "moe-b" })]
    [InlineData("tags.`of kind` = 'x'", new[] { "moe-a", "moe-b" })]
    [InlineData("tag.\"of kind\" LIKE 'x%' AND name != 'moe-b'", new[] { "moe-a" })]
    [InlineData("name IN ('moe-b', 'Moe-c', 'none')", new[] { "Moe-c", "moe-b" })]
    public async Task Search_Filters_FindModels(string filter, string[] expected)
    {
        await _client.CreateRegisteredModelAsync("moe-a", new Dictionary<string, string> { ["of kind"] = "x" });
        await _client.CreateRegisteredModelAsync("moe-b", new Dictionary<string, string> { ["of kind"] = "x" });
        await _client.CreateRegisteredModelAsync("Moe-c");

        (await _client.SearchRegisteredModelsAsync(filter)).RegisteredModels.Select(m => m.Name).ShouldBe(expected);
    }

    [Fact]
    public async Task Search_OfVersions_TakesRunsSourcesTagsAndOrders()
    {
        await _client.CreateRegisteredModelAsync("moe");
        var run = Guid.NewGuid().ToString("D");
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex, run, new Dictionary<string, string> { ["a"] = "1" });
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex);
        var source = (await _client.GetModelVersionAsync("moe", "1")).Source;

        (await VersionsAsync($"run_id IN ('{run}', 'other')")).ShouldBe(["1"]);
        (await VersionsAsync("tags.a = '1'")).ShouldBe(["1"]);
        (await VersionsAsync($"source_path = '{source}'")).ShouldBe(["2", "1"]);
        (await VersionsAsync("name = 'moe'", "version_number ASC")).ShouldBe(["1", "2"]);
        (await VersionsAsync("", "creation_timestamp DESC")).ShouldBe(["2", "1"]);
        (await FailsAsync(() => _client.SearchModelVersionsAsync(orderBy: "loss"))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));

        async Task<IEnumerable<string>> VersionsAsync(string filter, string? order = null) =>
            (await _client.SearchModelVersionsAsync(filter, orderBy: order)).ModelVersions.Select(v => v.Version);
    }

    [Fact]
    public async Task Version_OfARun_KeepsItsIdAsMlflowWritesIt()
    {
        await _client.CreateRegisteredModelAsync("moe");
        var run = Guid.NewGuid().ToString("N");

        (await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex, run)).RunId.ShouldBe(run);

        (await _client.SearchModelVersionsAsync($"run_id = '{run}'")).ModelVersions.ShouldHaveSingleItem().Version.ShouldBe("1");
        (await FailsAsync(() => _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex, "my run"))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));
    }

    [Fact]
    public async Task Version_Deleted_IsGone()
    {
        await _client.CreateRegisteredModelAsync("moe");
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex);

        await _client.DeleteModelVersionAsync("moe", "1");

        (await FailsAsync(() => _client.GetModelVersionAsync("moe", "1"))).ShouldBe(("RESOURCE_DOES_NOT_EXIST", 404));
        (await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex)).Version.ShouldBe("2");
    }

    [Theory]
    [InlineData("POST", "registered-models/rename", "{}", "ENDPOINT_NOT_FOUND", 404)]
    [InlineData("GET", "registered-models/create", "", "ENDPOINT_NOT_FOUND", 404)]
    [InlineData("POST", "registered-models/create", "{bad", "MALFORMED_REQUEST", 400)]
    [InlineData("POST", "registered-models/create", "[]", "INVALID_PARAMETER_VALUE", 400)]
    [InlineData("POST", "registered-models/create", "{\"name\":{}}", "INVALID_PARAMETER_VALUE", 400)]
    [InlineData("POST", "registered-models/create", "{\"name\":\"x\",\"tags\":[null]}", "INVALID_PARAMETER_VALUE", 400)]
    [InlineData("POST", "registered-models/create", "{\"name\":\"x\",\"tags\":[{\"key\":1,\"value\":2}]}", "INVALID_PARAMETER_VALUE", 400)]
    public async Task Request_OfNoRoute_OrWithoutItsShape_HasACode(string method, string path, string body, string code, int status)
    {
        // curl's content type where none is given
        using var request = Registrations.Request(method, "/api/2.0/mlflow/" + path, body, "application/x-www-form-urlencoded");
        using var answer = await _http.SendAsync(request);

        var error = System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(await answer.Content.ReadAsStringAsync());

        (error.GetProperty("error_code").GetString(), (int)answer.StatusCode).ShouldBe((code, status));
    }

    [Fact]
    public async Task Search_OrderedByChange_GoesOnByPages()
    {
        foreach (var name in new[] { "c", "a", "b" })
            await _client.CreateRegisteredModelAsync(name);

        var first = await _client.SearchRegisteredModelsAsync(maxResults: 2, orderBy: "last_updated_timestamp DESC");
        var rest = await _client.SearchRegisteredModelsAsync(maxResults: 2, pageToken: first.NextPageToken, orderBy: "last_updated_timestamp DESC");

        first.RegisteredModels.Concat(rest.RegisteredModels).Select(m => m.Name).ShouldBe(["b", "a", "c"]);
        (await FailsAsync(() => _client.SearchRegisteredModelsAsync(pageToken: first.NextPageToken))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));
    }

    [Theory]
    [InlineData(null, "UNAUTHENTICATED", 401)]
    [InlineData("wrong", "UNAUTHENTICATED", 401)]
    [InlineData(RegistryServer.Viewer, "PERMISSION_DENIED", 403)]
    public async Task Refusals_HaveMlflowsCodes(string? key, string code, int status)
    {
        using var http = _server.Client(key);

        (await FailsAsync(() => new MlflowClient(http).CreateRegisteredModelAsync("moe"))).ShouldBe((code, status));
    }

    [Theory]
    [InlineData("name = 'x' AND")]
    [InlineData("name > 'x'")]
    [InlineData("name IN ()")]
    [InlineData("name = 'x' AND AND name = 'y'")]
    [InlineData("name == 'x'")]
    [InlineData("name = 'x' OR 1=1")]
    [InlineData("nme = 'x'")]
    [InlineData("name = 'x'; drop table registry_model")]
    [InlineData("tags.x' = 'y'")]
    public async Task Search_FilterThatCannotBeRead_IsInvalid(string filter) =>
        (await FailsAsync(() => _client.SearchRegisteredModelsAsync(filter))).ShouldBe(("INVALID_PARAMETER_VALUE", 400));

    [Fact]
    public async Task Alias_PastItsGate_IsRefused()
    {
        await _client.CreateRegisteredModelAsync("moe");
        await _client.CreateModelVersionAsync("moe", _checkpoint.Root.Hex);
        await _server.Get<Espalier.Registry.Gates.PromotionGates>().ReplaceAsync("moe", [new("champion", "loss < 1", 0)], "tester", default);

        (await FailsAsync(() => _client.SetRegisteredModelAliasAsync("moe", "champion", "1"))).ShouldBe(("INVALID_STATE", 409));
    }

    private static async Task<(string Code, int Status)> FailsAsync(Func<Task> call)
    {
        var error = await Should.ThrowAsync<MlflowClientException>(call);
        return (error.Code, error.Status);
    }
}
