using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Espalier.Portal.Tests.Server;

/// <summary>Who gets in, and which requests count as theirs.</summary>
public sealed class PortalSessionTests
{
    [Fact]
    public async Task SignIn_KnownKey_SetsACookieThatNoScriptReadsAndNoOtherSiteSends()
    {
        await using var host = await PortalHost.StartAsync();
        using var client = host.Client();

        using var answer = await client.SendAsync(host.Own(HttpMethod.Post, "/api/v1/session", JsonContent.Create(new { key = PortalHost.ViewerKey })));

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var cookie = answer.Headers.GetValues("Set-Cookie").Single();
        cookie.ShouldContain("httponly", Case.Insensitive);
        cookie.ShouldContain("samesite=strict", Case.Insensitive);
        cookie.ShouldNotContain(PortalHost.ViewerKey);
        (await client.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("role").GetString().ShouldBe("viewer");
    }

    [Theory]
    [InlineData("")]
    [InlineData("esp_wrong")]
    public async Task SignIn_UnknownKey_IsRefused(string key)
    {
        await using var host = await PortalHost.StartAsync();
        using var client = host.Client();

        using var answer = await client.SendAsync(host.Own(HttpMethod.Post, "/api/v1/session", JsonContent.Create(new { key })));

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        answer.Headers.Contains("Set-Cookie").ShouldBeFalse();
    }

    [Fact]
    public async Task SignIn_ManyWrongKeys_MustWaitEvenWithTheRightOne()
    {
        await using var host = await PortalHost.StartAsync(configure: options => options.WrongKeysPerMinute = 3);
        using var client = host.Client();
        for (var i = 0; i < 3; i++)
            (await SignInAsync(host, client, $"esp_guess_{i}")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);

        using var answer = await SignInAsync(host, client, PortalHost.AdminKey);

        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        answer.Headers.RetryAfter.ShouldNotBeNull();
    }

    [Fact]
    public async Task SignIn_FromAnotherSite_IsRefused()
    {
        await using var host = await PortalHost.StartAsync();
        using var client = host.Client();
        var request = host.Own(HttpMethod.Post, "/api/v1/session", JsonContent.Create(new { key = PortalHost.AdminKey }));
        request.Headers.Remove("Origin");
        request.Headers.Add("Origin", "http://evil.example");

        using var answer = await client.SendAsync(request);

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task SignOut_OldCookie_IsWorthNothing()
    {
        await using var host = await PortalHost.StartAsync();
        var cookies = new CookieContainer();
        using var client = host.Client(cookies);
        await SignInAsync(host, client, PortalHost.AdminKey);
        var stolen = cookies.GetCookies(host.Address).Single();

        (await client.SendAsync(host.Own(HttpMethod.Delete, "/api/v1/session"))).StatusCode.ShouldBe(HttpStatusCode.NoContent);

        var again = new CookieContainer();
        again.Add(host.Address, new Cookie(stolen.Name, stolen.Value));
        using var thief = host.Client(again);
        (await thief.GetAsync("/api/v1/runs")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    /// <summary>Somebody plants the cookie of a session of their own, and waits for the victim to sign in.</summary>
    [Fact]
    public async Task SignIn_WithTheCookieOfAnotherSession_LeavesThatSessionAsItIs()
    {
        await using var host = await PortalHost.StartAsync();
        var (attackers, victims) = (new CookieContainer(), new CookieContainer());
        using var attacker = host.Client(attackers);
        await SignInAsync(host, attacker, PortalHost.ViewerKey);
        var planted = attackers.GetCookies(host.Address).Single();
        victims.Add(host.Address, new Cookie(planted.Name, planted.Value));
        using var victim = host.Client(victims);

        await SignInAsync(host, victim, PortalHost.AdminKey);

        (await attacker.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("role").GetString().ShouldBe("viewer");
        (await victim.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("role").GetString().ShouldBe("admin");
    }

    [Fact]
    public async Task Session_OfAnEarlierProcess_IsOver()
    {
        var cookies = new CookieContainer();
        Uri address;
        await using (var before = await PortalHost.StartAsync())
        {
            using var client = before.Client(cookies);
            await SignInAsync(before, client, PortalHost.AdminKey);
            address = before.Address;
        }
        await using var after = await PortalHost.StartAsync();
        var old = cookies.GetCookies(address).Single();
        var again = new CookieContainer();
        again.Add(after.Address, new Cookie(old.Name, old.Value));
        using var returning = after.Client(again);

        (await returning.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("signed-in").GetBoolean().ShouldBeFalse();
    }

    /// <summary>What a page of another site can make a browser send, with the cookie.</summary>
    [Theory]
    [InlineData(null, null)] // an old browser, a form
    [InlineData(null, "http://evil.example")]
    [InlineData("1", "http://evil.example")]
    [InlineData("1", null)]
    [InlineData("1", "null")] // a sandboxed frame
    [InlineData("1", "http://127.0.0.1:1")] // the same host, another port: the same site for cookies
    public async Task Change_ByCookieFromElsewhere_IsRefusedBeforeTheOrchestratorHearsOfIt(string? header, string? origin)
    {
        var heard = 0;
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapPost("/api/v1/runs", () => Interlocked.Increment(ref heard)));
        using var client = host.Client();
        await SignInAsync(host, client, PortalHost.AdminKey);
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs") { Content = new StringContent("name: x") };
        if (header is not null)
            request.Headers.Add("X-Espalier-Request", header);
        if (origin is not null)
            request.Headers.Add("Origin", origin);

        using var answer = await client.SendAsync(request);

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        heard.ShouldBe(0);
    }

    [Fact]
    public async Task Change_ByCookieFromThePortal_GoesThroughWithTheSessionsKey()
    {
        string? key = null;
        await using var host = await PortalHost.StartAsync(orchestrator => orchestrator.MapPost("/api/v1/runs", (HttpContext context) =>
        {
            key = context.Request.Headers.Authorization;
            return Results.Accepted();
        }));
        using var client = host.Client();
        await SignInAsync(host, client, PortalHost.AdminKey);

        using var answer = await client.SendAsync(host.Own(HttpMethod.Post, "/api/v1/runs", new StringContent("name: x")));

        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        key.ShouldBe($"Bearer {PortalHost.AdminKey}");
    }

    private static Task<HttpResponseMessage> SignInAsync(PortalHost host, HttpClient client, string key) =>
        client.SendAsync(host.Own(HttpMethod.Post, "/api/v1/session", JsonContent.Create(new { key })));
}
