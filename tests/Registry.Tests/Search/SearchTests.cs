using System.Net;
using Espalier.Contracts;
using Espalier.Registry.Search;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Search;

/// <summary>The search language, on real rows.</summary>
public sealed class SearchTests : IAsyncLifetime
{
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        for (var i = 1; i <= 6; i++)
        {
            await _server.Registry.RegisterAsync(new NewVersion
            {
                Model = i % 2 == 0 ? "even" : "odd",
                Checkpoint = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of([(byte)i]), 1_000_000 * i),
                StepKey = Digest.Of([(byte)i]),
                Shape = new ModelShape { Family = "olmoe", TotalParameters = i * 1_000_000_000L, ActiveParameters = i * 500_000_000L, Experts = 8 },
                Metrics = new Dictionary<string, double> { ["loss"] = 4 - i * 0.3, ["bits-per-byte"] = 1.0 / 3 + i },
                Tags = i == 3 ? new Dictionary<string, string> { ["team"] = "core group" } : new Dictionary<string, string>(),
            }, default);
        }
        await _server.Registry.MoveAliasAsync("even", "champion", 2, "tester", "", default);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    // i:      1    2    3    4    5    6
    // loss:  3.7  3.4  3.1  2.8  2.5  2.2     active: 0.5B 1B 1.5B 2B 2.5B 3B     bytes: 1MB .. 6MB
    [Theory]
    [InlineData("params.active < 2B and loss < 3.1", new int[0])]
    [InlineData("params.active < 2B and loss < 3.2 order by bytes", new[] { 3 })]
    [InlineData("params.active <= 2B and loss < 3.5 order by bytes", new[] { 2, 3, 4 })]
    [InlineData("order by loss", new[] { 6, 5, 4, 3, 2, 1 })]
    [InlineData("order by loss desc", new[] { 1, 2, 3, 4, 5, 6 })]
    [InlineData("bytes >= 4MB order by bytes desc", new[] { 6, 5, 4 })]
    [InlineData("model = odd and not (bytes > 3MB)", new[] { 3, 1 })]
    [InlineData("loss > 3.5 or bytes > 5MB order by created", new[] { 1, 6 })]
    [InlineData("tag.team ~ CORE", new[] { 3 })]
    [InlineData("tag.team = \"core group\"", new[] { 3 })]
    [InlineData("alias = champion", new[] { 4 })]
    [InlineData("signed", new int[0])]
    [InlineData("bits-per-byte < 2 and family = olmoe", new[] { 1 })]
    [InlineData("", new[] { 6, 5, 4, 3, 2, 1 })]
    public async Task Find_Query_GivesTheVersionsInOrder(string query, int[] expected)
    {
        var page = await _server.Get<VersionSearch>().FindAsync(query, 50, null, default);

        page.Items.Select(v => (int)(v.SizeBytes / 1_000_000)).ShouldBe(expected);
    }

    /// <summary>A model's own list: what is asked never reaches another model's versions.</summary>
    [Theory]
    [InlineData("loss < 10", new[] { 5, 3, 1 })]
    [InlineData("loss < 3 or bytes < 2MB", new[] { 5, 1 })]
    [InlineData("loss > 2 and bytes > 1MB order by loss desc", new[] { 3, 5 })]
    [InlineData("order by bytes", new[] { 1, 3, 5 })]
    [InlineData("model = even", new int[0])]
    public async Task Find_WithinAModel_GivesItsVersionsInOrder(string query, int[] expected)
    {
        var page = await _server.Get<VersionSearch>().FindAsync("odd", query, 50, null, default);

        page.Items.Select(v => (int)(v.SizeBytes / 1_000_000)).ShouldBe(expected);
    }

    [Fact]
    public async Task List_OfAModel_IsFilteredAndOrderedAndPaged()
    {
        using var http = _server.Client();
        const string Path = "/api/v1/models/odd/versions?q=loss%20%3C%2010%20order%20by%20bytes&limit=2";

        var first = await http.GetJsonAsync(Path);
        var second = await http.GetJsonAsync($"{Path}&cursor={first.GetProperty("next").GetString()}");

        first.GetProperty("items").EnumerateArray().Select(v => v.GetProperty("version").GetInt32()).ShouldBe([1, 2]);
        second.GetProperty("items").EnumerateArray().Select(v => v.GetProperty("version").GetInt32()).ShouldBe([3]);
        using var wrong = await http.GetAsync("/api/v1/models/odd/versions?q=loss");
        wrong.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("order by loss")]
    [InlineData("order by bits-per-byte desc")]
    [InlineData("order by bytes")]
    [InlineData("order by created desc")]
    [InlineData("order by model")]
    [InlineData("loss < 10")]
    public async Task Find_ByPages_GivesEveryVersionOnce(string query)
    {
        var search = _server.Get<VersionSearch>();
        var whole = (await search.FindAsync(query, 50, null, default)).Items.Select(v => v.Id).ToList();

        var seen = new List<long>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await search.FindAsync(query, 2, cursor, default);
            seen.AddRange(page.Items.Select(v => v.Id));
            cursor = page.Next;
        }

        seen.ShouldBe(whole);
        seen.Count.ShouldBe(6);
    }

    [Theory]
    [InlineData("loss < ", 8, "expected a value; found the end")]
    [InlineData("loss < 3.1 and", 15, "expected a field")]
    [InlineData("params.active < 2X", 17, "'X' is not a unit")]
    [InlineData("(loss < 3", 10, "expected ')'")]
    [InlineData("loss ~ 3", 6, "'~' looks for a part of a text")]
    [InlineData("family < olmoe", 8, "is a text")]
    [InlineData("loss < 3 order bytes", 16, "'by' after 'order'")]
    [InlineData("loss < 3; drop table registry_version", 9, "';' has no meaning here")]
    [InlineData("model = \"x", 9, "no end")]
    [InlineData("lss < 3", 1, "did you mean 'loss'?")]
    [InlineData("order by family", 10, "cannot be ordered by 'family'")]
    public async Task Find_WrongQuery_SaysWhereAndWhy(string query, int position, string reason)
    {
        var error = await Should.ThrowAsync<SearchException>(() => _server.Get<VersionSearch>().FindAsync(query, 10, null, default));

        error.Position.ShouldBe(position);
        error.Reason.ShouldContain(reason);
    }

    [Fact]
    public async Task Find_HostileText_IsOnlyAValue()
    {
        var page = await _server.Get<VersionSearch>().FindAsync("model = \"x' or '1'='1\" or model ~ \"%\"", 10, null, default);

        page.Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task Http_WrongQuery_Is400WithPosition()
    {
        using var http = _server.Client(RegistryServer.Viewer);

        var (status, body) = await http.SendJsonAsync(HttpMethod.Get, "/api/v1/search?q=" + Uri.EscapeDataString("loss << 3"));

        status.ShouldBe(HttpStatusCode.BadRequest);
        body.GetProperty("position").GetInt32().ShouldBe(7);
    }

    [Theory]
    [InlineData("zzz")]
    [InlineData("AAAA")]
    public async Task Find_ForeignCursor_IsRefused(string cursor) =>
        await Should.ThrowAsync<UserInputException>(() => _server.Get<VersionSearch>().FindAsync("", 10, cursor, default));
}
