using System.Net;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Api;

/// <summary>Models, versions, aliases and lineage over HTTP.</summary>
public sealed class ModelsApiTests : IAsyncLifetime
{
    private RegistryServer _server = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _http = _server.Client();
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Models_AreListedByNewestChange_WithAliasesAndPages()
    {
        await RegisterAsync("first");
        await RegisterAsync("second");
        await RegisterAsync("first", seed: 2);
        await _server.Registry.MoveAliasAsync("first", "candidate", 2, "tester", "", default);

        var page = await _http.GetJsonAsync("/api/v1/models?limit=1");
        var rest = await _http.GetJsonAsync($"/api/v1/models?limit=1&cursor={page.GetProperty("next").GetString()}");

        var first = page.GetProperty("items")[0];
        first.GetProperty("name").GetString().ShouldBe("first");
        first.GetProperty("versions").GetInt32().ShouldBe(2);
        first.GetProperty("latest").GetInt32().ShouldBe(2);
        first.GetProperty("aliases").GetProperty("candidate").GetInt32().ShouldBe(2);
        rest.GetProperty("items")[0].GetProperty("name").GetString().ShouldBe("second");
        rest.GetProperty("next").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
    }

    [Fact]
    public async Task Compare_SeveralVersions_AreInTheOrderAskedFor()
    {
        await RegisterAsync("first", metrics: new() { ["loss"] = 2.5 });
        await RegisterAsync("second", seed: 2);
        await _server.Registry.MoveAliasAsync("first", "candidate", 1, "tester", "", default);

        var items = (await _http.GetJsonAsync("/api/v1/compare/versions?version=second@1&version=first@candidate")).GetProperty("items");

        items.EnumerateArray().Select(i => i.GetProperty("version").GetProperty("model").GetString()).ShouldBe(["second", "first"]);
        items[1].GetProperty("version").GetProperty("metrics").GetProperty("loss").GetProperty("value").GetDouble().ShouldBe(2.5);
        items[1].GetProperty("config").GetProperty("num_experts").GetInt32().ShouldBe(4);
        using var missing = await _http.GetAsync("/api/v1/compare/versions?version=first@7");
        missing.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var none = await _http.GetAsync("/api/v1/compare/versions");
        none.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task Version_HasParametersConfigFilesAndCard()
    {
        var version = await RegisterAsync("demo", metrics: new() { ["loss"] = 2.5, ["loss-low"] = 2.4, ["loss-high"] = 2.6 });

        var found = await _http.GetJsonAsync("/api/v1/models/demo/versions/1");

        found.GetProperty("root").GetString().ShouldBe(version.Root.Hex);
        found.GetProperty("params").GetProperty("total").GetInt64().ShouldBeGreaterThan(found.GetProperty("params").GetProperty("active").GetInt64());
        found.GetProperty("config").GetProperty("num_experts").GetInt32().ShouldBe(4);
        found.GetProperty("metrics").GetProperty("loss").GetProperty("high").GetDouble().ShouldBe(2.6);
        found.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("path").GetString()).ShouldBe(["README.md", "config.json", "model.safetensors"]);
        found.GetProperty("card").GetString()!.ShouldStartWith("---\nlibrary_name: espalier\n");
    }

    [Fact]
    public async Task Versions_ArePagedFromTheNewest()
    {
        for (var seed = 1; seed <= 5; seed++)
            await RegisterAsync("demo", seed);

        var seen = new List<int>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await _http.GetJsonAsync($"/api/v1/models/demo/versions?limit=2&cursor={cursor}");
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(v => v.GetProperty("version").GetInt32()));
            cursor = page.GetProperty("next").GetString();
        }

        seen.ShouldBe([5, 4, 3, 2, 1]);
    }

    [Fact]
    public async Task Lineage_OfAGrownModel_LeadsToItsParent()
    {
        var parent = await RegisterAsync("base");
        var grown = await TinyCheckpoints.CreateAsync(_server.Store, new()
        {
            Experts = 8,
            Parents = [new Parent(parent.Root, "upcycled", null)],
            Origin = (l, e) => new ExpertOrigin(l, e, parent.Root, l, e / 2),
        });
        await _server.RegisterAsync("grown", grown);

        var lineage = await _http.GetJsonAsync("/api/v1/models/grown/versions/1/lineage");

        lineage.GetProperty("nodes").EnumerateArray().Select(n => n.GetProperty("model").GetString()).ShouldBe(["grown", "base"]);
        var edge = lineage.GetProperty("edges").EnumerateArray().ShouldHaveSingleItem();
        edge.GetProperty("from").GetString().ShouldBe(parent.Root.Hex);
        edge.GetProperty("relation").GetString().ShouldBe("upcycled");
        lineage.GetProperty("bill").GetProperty("seconds").GetDouble().ShouldBe(0);
    }

    [Fact]
    public async Task Alias_RevertedWithoutABody_PointsBack()
    {
        await RegisterAsync("demo");
        await RegisterAsync("demo", seed: 2);
        await _server.Registry.MoveAliasAsync("demo", "champion", 1, "tester", "", default);
        await _server.Registry.MoveAliasAsync("demo", "champion", 2, "tester", "", default);
        using var promoter = _server.Client(RegistryServer.Promoter);

        using var reverted = await promoter.PostAsync("/api/v1/models/demo/aliases/champion/revert", null);
        using var moved = await promoter.PutAsync("/api/v1/models/demo/aliases/other?version=1", null);

        (reverted.StatusCode, moved.StatusCode).ShouldBe((HttpStatusCode.OK, HttpStatusCode.OK));
        (await _http.GetJsonAsync("/api/v1/models/demo")).GetProperty("aliases").GetProperty("champion").GetInt32().ShouldBe(1);
    }

    [Fact]
    public async Task Alias_MovedRevertedRemoved_IsRecordedWithActorAndReason()
    {
        await RegisterAsync("demo", 1);
        await RegisterAsync("demo", 2);
        using var promoter = _server.Client(RegistryServer.Promoter);

        await promoter.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/aliases/champion", new { version = 1, reason = "first" });
        await promoter.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/aliases/champion", new { version = 2, reason = "better" });
        var (reverted, _) = await promoter.SendJsonAsync(HttpMethod.Post, "/api/v1/models/demo/aliases/champion/revert", new { reason = "worse after all" });
        (await _http.GetJsonAsync("/api/v1/models/demo")).GetProperty("aliases").GetProperty("champion").GetInt32().ShouldBe(1);
        await promoter.SendJsonAsync(HttpMethod.Delete, "/api/v1/models/demo/aliases/champion");

        reverted.ShouldBe(HttpStatusCode.OK);
        var moves = (await _http.GetJsonAsync("/api/v1/models/demo/aliases/moves")).GetProperty("items").EnumerateArray().ToList();
        moves.Select(m => m.GetProperty("kind").GetString()).ShouldBe(["removed", "reverted", "moved", "moved"]);
        moves[1].GetProperty("reason").GetString().ShouldBe("worse after all");
        moves[1].GetProperty("previous").GetInt32().ShouldBe(2);
        moves.ShouldAllBe(m => m.GetProperty("actor").GetString() == "paula");
    }

    [Fact]
    public async Task Card_OfAMeasuredVersion_KeepsOtherModelsApartAndSaysHowToLoadIt()
    {
        await RegisterAsync("demo", metrics: new()
        {
            ["loss"] = 2.5, ["base.loss"] = 3, ["base.loss-low"] = 2.9, ["base.loss-high"] = 3.1, ["base.total-parameters"] = 1000, ["base.load-cv"] = 1,
        });

        var card = (await _http.GetJsonAsync("/api/v1/models/demo/versions/1")).GetProperty("card").GetString()!;

        card.ShouldContain("| loss | 2.5 |  |");
        card.ShouldContain("| model | loss | total-parameters |\n|---|---|---|\n| base | 3 (2.9 to 3.1) | 1000 |");
        card.ShouldNotContain("base.l", Case.Sensitive, "not a row each");
        card.IndexOf("## How to load it", StringComparison.Ordinal).ShouldBeInRange(card.IndexOf("## Metrics", StringComparison.Ordinal), card.Length);
        card.ShouldContain("from_pretrained(\"DIR\", dtype=\"auto\")");
    }

    [Fact]
    public async Task Compare_GrownModel_SeesCopiesAsUnchanged()
    {
        var parent = await RegisterAsync("base");
        var grown = await TinyCheckpoints.CreateAsync(_server.Store, new()
        {
            Experts = 8, Parents = [new Parent(parent.Root, "upcycled", null)], Origin = (l, e) => new ExpertOrigin(l, e, parent.Root, l, e / 2),
            Change = (name, _, value) => name.Contains("layers.1.mlp.experts.3.", StringComparison.Ordinal) ? value * 1.5f : value,
        });
        await _server.RegisterAsync("grown", grown);

        var comparison = await _http.GetJsonAsync("/api/v1/compare?left=base@1&right=grown@1");

        comparison.GetProperty("config").EnumerateArray().Select(c => c.GetProperty("path").GetString()).ShouldContain("num_experts");
        var layers = comparison.GetProperty("weights").EnumerateArray().ToList();
        layers[0].GetProperty("experts").EnumerateArray().ShouldAllBe(e => e.GetDouble() == 0);
        layers[0].GetProperty("origins")[5].GetInt32().ShouldBe(2);
        layers[1].GetProperty("experts")[3].GetDouble().ShouldBe(0.5, 1e-6);
        layers[1].GetProperty("experts")[4].GetDouble().ShouldBe(0);
        comparison.GetProperty("bytes").GetProperty("shared").GetInt64().ShouldBeGreaterThan(0);
        (await _http.GetJsonAsync("/api/v1/compare?left=base@1&right=grown@1")).GetRawText().ShouldBe(comparison.GetRawText());
    }

    [Fact]
    public async Task Document_NamesTheRoutesInKebabCase()
    {
        using var anyone = _server.Client(null);

        var document = await anyone.GetJsonAsync("/openapi/v1.json");

        document.GetProperty("paths").EnumerateObject().Select(p => p.Name).ShouldContain("/api/v1/models/{name}/versions/{version}");
        var schemas = document.GetProperty("components").GetProperty("schemas");
        schemas.GetProperty("LayerDifference").GetProperty("properties").TryGetProperty("relative-change", out _).ShouldBeTrue();
    }

    private async Task<ModelVersion> RegisterAsync(string name, int seed = 1, Dictionary<string, double>? metrics = null)
    {
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store, new() { Seed = seed });
        var registered = await _server.RegisterAsync(new Registration
        {
            Model = name,
            Checkpoint = checkpoint,
            StepKey = Digest.Of(System.Text.Encoding.UTF8.GetBytes($"{name}/{seed}")),
            Metrics = metrics ?? [],
        });
        return registered.Version;
    }
}
