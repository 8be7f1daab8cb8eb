using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Espalier.Portal.Tests.Server;

/// <summary>Forwarding to the orchestrator.</summary>
public sealed class OrchestratorForwarderTests
{
    [Fact]
    public async Task Get_WithoutAKey_IsRefusedBeforeTheOrchestratorHearsOfIt()
    {
        var heard = 0;
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapGet("/api/v1/runs", () => Interlocked.Increment(ref heard)));
        using var client = host.Client();

        using var answer = await client.GetAsync("/api/v1/runs");

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        heard.ShouldBe(0);
    }

    [Fact]
    public async Task Get_Events_ArePassedOnOneByOne()
    {
        var goOn = new TaskCompletionSource();
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapGet("/api/v1/runs/{id}/events", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: first\n\n");
            await context.Response.Body.FlushAsync();
            await goOn.Task;
            await context.Response.WriteAsync("data: second\n\n");
        }));
        using var client = Authorized(host);

        using var stream = await client.GetStreamAsync("/api/v1/runs/1/events");
        using var reader = new StreamReader(stream);

        // The second event is not sent before the first was read: a buffer on the way would hold both back forever.
        (await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10))).ShouldBe("data: first");
        goOn.SetResult();
        (await reader.ReadToEndAsync()).ShouldContain("data: second");
    }

    /// <summary>A run that waits for a worker has no events: its stream must open all the same.</summary>
    [Fact]
    public async Task Get_EventsBeforeTheFirst_BeginAtOnce()
    {
        var goOn = new TaskCompletionSource();
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapGet("/api/v1/runs/{id}/events", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.FlushAsync();
            await goOn.Task;
        }));
        using var client = Authorized(host);

        using var answer = await client.GetAsync("/api/v1/runs/1/events", HttpCompletionOption.ResponseHeadersRead).WaitAsync(TimeSpan.FromSeconds(30));

        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        goOn.SetResult();
    }

    [Fact]
    public async Task Headers_OtherThanTheNamedOnes_DoNotPass()
    {
        var heard = new List<string>();
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapGet("/api/v1/runs", (HttpContext context) =>
        {
            heard.AddRange(context.Request.Headers.Keys);
            context.Response.Headers["Set-Cookie"] = "a=b";
            context.Response.Headers["X-Secret"] = "1";
            context.Response.Headers.ETag = "\"1\"";
            return "ok";
        }));
        using var client = Authorized(host);
        client.DefaultRequestHeaders.Add("Cookie", "espalier-session=x");
        client.DefaultRequestHeaders.Add("X-Other", "1");
        client.DefaultRequestHeaders.Add("Last-Event-ID", "7");

        using var answer = await client.GetAsync("/api/v1/runs");

        heard.ShouldContain("Last-Event-ID");
        heard.ShouldBeSubsetOf(["Authorization", "Accept", "Content-Type", "Content-Length", "Last-Event-ID", "traceparent", "Host"]);
        answer.Headers.ETag!.Tag.ShouldBe("\"1\"");
        answer.Headers.Contains("Set-Cookie").ShouldBeFalse();
        answer.Headers.Contains("X-Secret").ShouldBeFalse();
    }

    [Fact]
    public async Task Post_QueryBodyAndAnswer_ArriveAsTheyAre()
    {
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapPost("/api/v1/pipelines/check", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            return Results.Text($"{context.Request.QueryString} {context.Request.ContentType} {await reader.ReadToEndAsync()}", statusCode: 422);
        }));
        using var client = Authorized(host);

        var pipeline = new StringContent("näme: x", Encoding.UTF8, "application/yaml");
        using var answer = await client.PostAsync("/api/v1/pipelines/check?param.a=%C3%A4%26", pipeline);

        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("?param.a=%C3%A4%26 application/yaml; charset=utf-8 näme: x");
    }

    [Theory]
    [InlineData("GET", "/api/v1/triggers/nightly.schedule/test?last=200")]
    [InlineData("POST", "/api/v1/triggers/nightly.schedule/disable")]
    [InlineData("PUT", "/api/v1/pipelines/nightly?file=nightly.yaml")]
    [InlineData("DELETE", "/api/v1/pipelines/nightly")]
    public async Task Request_OfPipelinesAndTriggers_ReachesTheOrchestrator(string method, string path)
    {
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapFallback((HttpContext context) =>
            Results.Text($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}")));
        using var client = Authorized(host);

        using var answer = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));

        (await answer.Content.ReadAsStringAsync()).ShouldBe($"{method} {path}");
    }

    [Fact]
    public async Task Get_OrchestratorAway_SaysSo()
    {
        await using var host = await PortalHost.StartAsync(configure: options => options.Orchestrator = "http://127.0.0.1:1");
        using var client = Authorized(host);

        using var answer = await client.GetAsync("/api/v1/status");

        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("orchestrator");
    }

    [Fact]
    public async Task Post_BodyTooLarge_IsRefused()
    {
        await using var host = await PortalHost.StartAsync(orchestrator =>
            orchestrator.MapPost("/api/v1/runs", async (HttpContext context) => await context.Request.Body.CopyToAsync(Stream.Null)));
        using var client = Authorized(host);

        using var answer = await client.PostAsync("/api/v1/runs", new ByteArrayContent(new byte[3 << 20]));

        answer.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
    }

    [Theory]
    [InlineData("/api/v1/runs/../keys/%2e%2e/%2e%2e/healthz")]
    [InlineData("/api/v1/runs/..%2f..%2f..%2fhealthz")]
    [InlineData("/api/v1/other")]
    public async Task Get_OutsideOfWhatIsForwarded_DoesNotReachTheOrchestrator(string path)
    {
        var heard = new List<string>();
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapFallback((HttpContext context) =>
        {
            heard.Add(context.Request.Path);
            return Results.Ok();
        }));
        using var client = Authorized(host);

        var asWritten = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        var address = new Uri(host.Address.GetLeftPart(UriPartial.Authority) + path, asWritten);
        using var answer = await client.SendAsync(new HttpRequestMessage(HttpMethod.Get, address));

        heard.ShouldAllBe(p => p.StartsWith("/api/v1/runs"));
    }

    private static HttpClient Authorized(PortalHost host)
    {
        var client = host.Client();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", PortalHost.AdminKey);
        return client;
    }
}
