using System.Net.Http.Headers;
using System.Net;
using System.Text;
using Espalier.Hosting.Authentication;
using Espalier.Registry.Api;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;
using Microsoft.AspNetCore.Routing;

namespace Espalier.Registry.Tests.Api;

/// <summary>Attacks on the API; README.md of this project lists them. Each must be refused, and the server must go on.</summary>
public sealed class ApiSecurityTests : IAsyncLifetime
{
    private const string Version = "/api/v1/models/demo/versions/1";
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store);
        await _server.RegisterAsync("demo", checkpoint);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Unauthenticated_EveryRouteButDocumentAndSignIn_Is401()
    {
        using var anyone = _server.Client(null);
        var open = new List<string>();
        var count = 0;
        foreach (var endpoint in _server.Get<IEnumerable<EndpointDataSource>>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>())
        {
            var path = "/" + endpoint.RoutePattern.RawText!.TrimStart('/')
                .Replace("{version:int}", "1", StringComparison.Ordinal)
                .Replace("{**path}", "config.json", StringComparison.Ordinal)
                .Replace("{name}", "demo", StringComparison.Ordinal)
                .Replace("{alias}", "a", StringComparison.Ordinal)
                .Replace("{id}", "1", StringComparison.Ordinal)
                .Replace("{digest}", new string('0', 64), StringComparison.Ordinal);
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [])
            {
                count++;
                using var answer = await anyone.SendAsync(Registrations.Request(method, path, method is "GET" or "HEAD" ? "" : "{}"));
                if (answer.StatusCode != HttpStatusCode.Unauthorized)
                    open.Add($"{method} {path}: {(int)answer.StatusCode}");
            }
        }

        // The document and sign-in are for everybody.
        open.Where(o => !o.Contains(" /openapi/", StringComparison.Ordinal) && !o.Contains(" /api/v1/session", StringComparison.Ordinal)).ShouldBeEmpty();
        count.ShouldBeGreaterThan(50);
    }

    [Theory]
    [InlineData("PUT", "/api/v1/models/demo/gates", """{"items":[null]}""")]
    [InlineData("PUT", "/api/v1/models/demo/gates", """{"items":[{"rule":"loss < 1"}]}""")]
    [InlineData("PUT", "/api/v1/models/demo/aliases/a", """{"version":"1"}""")]
    [InlineData("PUT", "/api/v1/models/demo/aliases/a", "{")]
    [InlineData("PATCH", Version, """{"tags":[1]}""")]
    [InlineData("PUT", Version + "/signatures", "{}")]
    [InlineData("POST", "/api/v1/webhooks", """{"url":"https://example.org","events":[null]}""")]
    [InlineData("POST", "/api/v1/blobs/missing", """{"digests":["zz"]}""")]
    [InlineData("POST", "/api/v1/models/demo/versions", "null")]
    [InlineData("POST", "/api/v1/models/demo/versions", """{"manifest":null}""")]
    [InlineData("POST", "/api/v1/models/demo/versions", """{"manifest":{"kind":"checkpoint","files":null}}""")]
    [InlineData("POST", "/api/v1/models/demo/versions", """{"manifest":{"kind":"checkpoint","files":[null]}}""")]
    [InlineData("POST", "/api/v1/models/demo/versions", """{"manifest":{"kind":"checkpoint","tensors":[null],"experts":[null]}}""")]
    [InlineData("POST", "/api/v1/models/demo/versions", """{"manifest":{"kind":"checkpoint"},"tags":{"a":null}}""")]
    [InlineData("GET", "/api/v1/search?limit=x", "")]
    public async Task Body_OfAnotherShape_IsRefusedWithAReason(string method, string path, string body)
    {
        using var admin = _server.Client();
        using var request = Registrations.Request(method, path, body);

        using var answer = await admin.SendAsync(request);

        ((int)answer.StatusCode).ShouldBeInRange(400, 422);
        answer.Content.Headers.ContentType?.MediaType.ShouldBe("application/problem+json");
        (await answer.Content.ReadAsStringAsync()).ShouldContain("\"detail\":\"");
    }

    [Theory]
    [InlineData("PUT", "/api/v1/models/demo/aliases/champion", RegistryServer.Submitter, """{"version":1}""")]
    [InlineData("DELETE", "/api/v1/models/demo/aliases/champion", RegistryServer.Submitter, "")]
    [InlineData("POST", "/api/v1/models/demo/aliases/champion/revert", RegistryServer.Submitter, "{}")]
    [InlineData("POST", "/api/v1/models/demo/versions/1/approvals", RegistryServer.Submitter, """{"alias":"champion","verdict":"approve"}""")]
    [InlineData("PUT", "/api/v1/models/demo/versions/1/signatures", RegistryServer.Submitter, "{}")]
    [InlineData("PATCH", "/api/v1/models/demo", RegistryServer.Viewer, """{"description":"x"}""")]
    [InlineData("PATCH", "/api/v1/models/demo/versions/1", RegistryServer.Viewer, """{"description":"x"}""")]
    [InlineData("POST", "/api/v1/models/demo/versions", RegistryServer.Viewer, "{}")]
    [InlineData("POST", "/api/v1/blobs/missing", RegistryServer.Viewer, "{}")]
    [InlineData("PUT", "/api/v1/models/demo/gates", RegistryServer.Promoter, """{"items":[]}""")]
    [InlineData("DELETE", "/api/v1/models/demo/versions/1", RegistryServer.Promoter, "")]
    [InlineData("POST", "/api/v1/storage/gc", RegistryServer.Promoter, "{}")]
    [InlineData("GET", "/api/v1/webhooks", RegistryServer.Promoter, "")]
    [InlineData("POST", "/api/v1/signing-keys", RegistryServer.Promoter, "{}")]
    [InlineData("POST", "/api/2.0/mlflow/registered-models/create", RegistryServer.Viewer, """{"name":"x"}""")]
    [InlineData("POST", "/api/2.0/mlflow/registered-models/alias", RegistryServer.Submitter, """{"name":"demo","alias":"a","version":"1"}""")]
    public async Task WrongRole_IsRefusedAndChangesNothing(string method, string path, string key, string body)
    {
        using var http = _server.Client(key);

        using var answer = await http.SendAsync(Registrations.Request(method, path, body));

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await _server.Registry.MovesAsync("demo", default)).ShouldBeEmpty();
        (await _server.Registry.ResolveAsync("demo@1", default)).Description.ShouldBeEmpty();
    }

    [Fact]
    public async Task Oversized_JsonBody_Is413()
    {
        using var http = _server.Client();
        var text = new string('x', 2 << 20);

        using var answer = await http.SendAsync(Registrations.Request("PATCH", "/api/v1/models/demo", $$"""{"description":"{{text}}"}"""));
        using var mlflow = await http.SendAsync(
            Registrations.Request("POST", "/api/2.0/mlflow/registered-models/create", $$"""{"name":"{{text}}"}"""));

        (answer.StatusCode, mlflow.StatusCode).ShouldBe((HttpStatusCode.RequestEntityTooLarge, HttpStatusCode.RequestEntityTooLarge));
    }

    [Fact]
    public async Task DeepJson_Is400()
    {
        using var http = _server.Client();

        var body = "{\"tags\":" + new string('[', 5000) + new string(']', 5000) + "}";

        using var answer = await http.SendAsync(Registrations.Request("PATCH", "/api/v1/models/demo", body));

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData("application/xml")]
    public async Task ContentType_ThatIsNotJson_IsRefused(string type)
    {
        using var http = _server.Client();
        using var content = new StringContent("""{"description":"x"}""");
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);

        using var answer = await http.PatchAsync("/api/v1/models/demo", content);

        // No route takes such a body: the portal's fallback answers that there is nothing to PATCH.
        answer.StatusCode.ShouldBeOneOf(HttpStatusCode.UnsupportedMediaType, HttpStatusCode.MethodNotAllowed);
        (await _server.Get<Espalier.Registry.Queries.ModelQueries>().FindModelAsync("demo", default))!.Description.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("\"><img src=x onerror=alert(1)>")]
    [InlineData("javascript:alert(1)")]
    [InlineData("demo\r\nSet-Cookie: x=1")]
    public async Task Xss_ThroughModelNames_IsRefused(string name)
    {
        using var http = _server.Client();

        var (status, _) = await http.SendJsonAsync(HttpMethod.Post, "/api/2.0/mlflow/registered-models/create", new { name });

        status.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Xss_ThroughTagsAndText_StaysDataOfItsType()
    {
        const string Attack = "<script>alert(document.cookie)</script>";
        using var http = _server.Client();

        await http.SendJsonAsync(HttpMethod.Patch, Version, new { description = Attack, tags = new Dictionary<string, string> { [Attack] = Attack } });
        using var answer = await http.GetAsync(Version);
        using var card = await http.GetAsync(Version + "/files/README.md");

        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        (await answer.Content.ReadAsStringAsync()).ShouldContain("alert(document.cookie)");
        card.Content.Headers.ContentType!.MediaType.ShouldBe("application/octet-stream");
        card.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        card.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        card.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("sandbox");
    }

    [Fact]
    public async Task Xss_ThroughTheGeneratedCard_IsEscaped()
    {
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store, new() { Seed = 9 });
        await _server.Get<VersionRegistrar>().RegisterAsync(_server.Store, new Registration
        {
            Model = "attacked",
            Checkpoint = checkpoint,
            StepKey = checkpoint.Root,
            Origin = "<img src=x onerror=alert(1)>",
            Metrics = new Dictionary<string, double> { ["<b>loss</b> | x"] = 1 },
        }, default);
        using var http = _server.Client();

        var card = (await http.GetJsonAsync("/api/v1/models/attacked/versions/1")).GetProperty("card").GetString()!;

        card[card.IndexOf("\n---\n", StringComparison.Ordinal)..].ShouldNotContain("<");
        card.ShouldContain("&lt;img src=x onerror=alert(1)&gt;");
    }

    [Fact]
    public async Task BruteForce_ManyWrongKeys_AreSlowedDown_WhileRightOnesWork()
    {
        using var known = _server.Client(RegistryServer.Viewer);
        await known.GetJsonAsync("/api/v1/models");
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < ApiKeyThrottle.MostWrongPerMinute + 5; i++)
        {
            using var guesser = _server.Client($"guess-{i}");
            guesser.DefaultRequestHeaders.Add("X-Forwarded-For", $"10.0.0.{i}"); // claiming other addresses does not help
            using var answer = await guesser.GetAsync("/api/v1/models");
            statuses.Add(answer.StatusCode);
        }

        using var late = _server.Client(RegistryServer.Admin); // right, but never seen: it must wait as well
        using var lateAnswer = await late.GetAsync("/api/v1/models");

        statuses.Count(s => s == HttpStatusCode.Unauthorized).ShouldBe(ApiKeyThrottle.MostWrongPerMinute);
        statuses.Skip(ApiKeyThrottle.MostWrongPerMinute).ShouldAllBe(s => s == HttpStatusCode.TooManyRequests);
        lateAnswer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        (await known.GetAsync("/api/v1/models")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-")]
    [InlineData("bytes=9999999999999999999999-")]
    [InlineData("bytes=-")]
    [InlineData("bytes=5-2")]
    [InlineData("bytes=0-18446744073709551615")]
    [InlineData("lines=1-2")]
    [InlineData("bytes=-99999999999")]
    public async Task RangeAbuse_NeverGivesMoreThanTheFile(string range)
    {
        using var http = _server.Client();
        var length = (await http.GetByteArrayAsync(Version + "/files/model.safetensors")).Length;
        using var request = new HttpRequestMessage(HttpMethod.Get, Version + "/files/model.safetensors");
        request.Headers.TryAddWithoutValidation("Range", range);

        using var answer = await http.SendAsync(request);

        ((int)answer.StatusCode).ShouldBeOneOf(200, 206, 416);
        (await answer.Content.ReadAsByteArrayAsync()).Length.ShouldBeLessThanOrEqualTo(length);
    }

    [Theory]
    [InlineData("/api/v1/models?limit=2147483647")]
    [InlineData("/api/v1/models?limit=-5")]
    [InlineData("/api/v1/models/demo/versions?limit=999999")]
    public async Task Pages_OfAnyLength_AreBounded(string path)
    {
        using var http = _server.Client();

        (await http.GetJsonAsync(path)).GetProperty("items").GetArrayLength().ShouldBeInRange(1, 500);
    }

    [Theory]
    [InlineData("/api/v1/models?limit=x")]
    [InlineData("/api/v1/models/demo/versions/99999999999999")]
    [InlineData("/api/v1/models/demo/versions/-1")]
    [InlineData("/api/v1/models/demo/versions/1/genealogy?layer=a&expert=0")]
    [InlineData("/api/v1/compare?left=demo@1")]
    [InlineData("/api/v1/models/%00")]
    public async Task Nonsense_IsAnErrorOfTheClient(string path)
    {
        using var http = _server.Client();

        using var answer = await http.GetAsync(path);

        ((int)answer.StatusCode).ShouldBeInRange(400, 422);
    }
}
