using System.Text;
using System.Text.Json;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Mlflow;

/// <summary>Names and values with quotes of every kind, and texts that are not text.</summary>
public sealed class MlflowTextTests : IAsyncLifetime
{
    private RegistryServer _server = null!;
    private HttpClient _http = null!;
    private MlflowClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _http = _server.Client();
        _client = new MlflowClient(_http);
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("a\"b", "x", "tags.`a\"b` = 'x'")]
    [InlineData("a'b", "x", "tags.`a'b` = 'x'")]
    [InlineData("it's \"mine\"", "x", "tag.`it's \"mine\"` LIKE 'x%'")]
    [InlineData("a`b", "x", "tags.\"a`b\" = 'x'")]
    [InlineData("of kind", "x", "tags.\"`of kind`\" = 'x'")]
    [InlineData("\"quoted\"", "x", "tags.`\"quoted\"` = 'x'")]
    [InlineData("of kind", "x", "`tags`.`of kind` = 'x'")]
    [InlineData("a.b", "x", "tags.`a.b` = 'x'")]
    [InlineData("kind", "it's", "tags.kind = \"it's\"")]
    [InlineData("kind", "it's", "tags.kind = 'it''s'")]
    [InlineData("kind", "say \"x\"", "tags.kind = 'say \"x\"'")]
    [InlineData("kind", "a`b", "tags.`kind` = 'a`b'")]
    [InlineData("kind", "x", "attributes.`name` = 'moe' AND tags.kind IN ('y', \"x\")")]
    [InlineData("kind", "x AND y", "tags.kind = 'x AND y' AND `name` = \"moe\"")]
    public async Task Search_QuotesInNamesAndValues_FindModelsAndVersions(string tag, string value, string filter)
    {
        var tags = new Dictionary<string, string> { [tag] = value };
        await _client.CreateRegisteredModelAsync("moe", tags);
        await _client.CreateRegisteredModelAsync("other", new Dictionary<string, string> { ["kind"] = "other" });
        await _client.CreateModelVersionAsync("moe", (await TinyCheckpoints.CreateAsync(_server.Store)).Root.Hex, tags: tags);

        (await _client.SearchRegisteredModelsAsync(filter)).RegisteredModels.ShouldHaveSingleItem().Name.ShouldBe("moe");
        (await _client.SearchModelVersionsAsync(filter)).ModelVersions.ShouldHaveSingleItem().Name.ShouldBe("moe");
    }

    [Theory]
    [InlineData("""{"name":"\ud800"}""")]
    [InlineData("""{"name":"moe","description":"x\udc00y"}""")]
    [InlineData("""{"name":"moe","description":"a\u0000b"}""")]
    [InlineData("""{"name":"moe","tags":[{"key":"\ud800","value":"x"}]}""")]
    [InlineData("""{"name":"moe","tags":[{"key":"x","value":"\ud800"}]}""")]
    [InlineData("""{"name":"moe","\ud800":"x"}""")]
    [InlineData("""{"name":"moe","unknown":{"deep":["\udfff"]}}""")]
    public async Task Body_WithATextThatIsNotText_IsMalformed(string body)
    {
        using var answer = await _http.PostAsync("/api/2.0/mlflow/registered-models/create", new StringContent(body, Encoding.UTF8, "application/json"));

        ((int)answer.StatusCode).ShouldBe(400);
        var error = JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync());
        error.GetProperty("error_code").GetString().ShouldBe("MALFORMED_REQUEST");
        (await _client.SearchRegisteredModelsAsync()).RegisteredModels.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("/api/2.0/mlflow/registered-models/get?name=a%00b", 400)]
    [InlineData("/api/2.0/mlflow/registered-models/search?filter=name%20%3D%20'%00'", 400)]
    [InlineData("/api/v1/models?q=%00", 422)]
    [InlineData("/api/v1/search?q=model%20~%20%22%00%22", 422)]
    public async Task Address_WithNul_IsRefused(string path, int status)
    {
        using var answer = await _http.GetAsync(path);

        ((int)answer.StatusCode).ShouldBe(status);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("NUL");
    }
}
