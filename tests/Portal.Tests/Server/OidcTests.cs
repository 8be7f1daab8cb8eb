using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Espalier.Registry.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Espalier.Portal.Tests.Server;

/// <summary>Sign-in by an identity provider, against an issuer that runs here.</summary>
public sealed class OidcTests
{
    [Fact]
    public async Task SignIn_PersonOfAGroup_HasTheGroupsRoleAndKeyAndName()
    {
        string? key = null;
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(
            issuer, orchestrator => orchestrator.MapGet("/api/v1/runs", (HttpContext context) => key = context.Request.Headers.Authorization));
        issuer.Groups = ["visitors", "leads"];
        using var browser = host.Client(new CookieContainer());

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.Found);
        end.Headers.Location!.ToString().ShouldBe("/");
        var session = await browser.GetFromJsonAsync<JsonElement>("/api/v1/session");
        session.GetProperty("signed-in").GetBoolean().ShouldBeTrue();
        (session.GetProperty("role").GetString(), session.GetProperty("name").GetString()).ShouldBe(("admin", "ada"));
        await browser.GetAsync("/api/v1/runs");
        key.ShouldBe($"Bearer {PortalHost.AdminKey}");
    }

    [Fact]
    public async Task SignIn_PersonOfNoKnownGroup_StaysOutside()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Groups = ["others"];
        using var browser = host.Client(new CookieContainer());

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await browser.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("signed-in").GetBoolean().ShouldBeFalse();
    }

    [Theory]
    [InlineData("signature")]
    [InlineData("algorithm")]
    [InlineData("audience")]
    [InlineData("issuer")]
    [InlineData("age")]
    [InlineData("nonce")]
    [InlineData("not yet valid")]
    [InlineData("authorized party")]
    [InlineData("several audiences, no authorized party")]
    public async Task SignIn_TokenThatIsNotRight_IsRefused(string what)
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        using var stranger = RSA.Create(2048);
        issuer.Groups = ["leads"];
        issuer.Forger = what == "signature" ? stranger : null;
        issuer.Algorithm = what == "algorithm" ? "none" : "RS256";
        issuer.Twist = claims =>
        {
            if (what == "audience") claims["aud"] = "somebody-else";
            if (what == "issuer") claims["iss"] = "https://elsewhere.example";
            if (what == "age") claims["exp"] = 1_600_000_000;
            if (what == "nonce") claims["nonce"] = "another";
            if (what == "not yet valid") claims["nbf"] = claims["exp"];
            if (what == "authorized party") claims["azp"] = "somebody-else";
            if (what == "several audiences, no authorized party") claims["aud"] = new[] { "portal", "somebody-else" };
        };
        using var browser = host.Client(new CookieContainer());

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.BadGateway);
        (await browser.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("signed-in").GetBoolean().ShouldBeFalse();
    }

    [Fact]
    public async Task SignIn_TokenOfSeveralAudiencesForUs_Works()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Groups = ["leads"];
        issuer.Twist = claims => (claims["aud"], claims["azp"]) = (new[] { "portal", "somebody-else" }, "portal");
        using var browser = host.Client(new CookieContainer());

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.Found, await end.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task SignIn_ThousandPending_AllEndWell()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Groups = ["visitors"];
        using var first = host.Client(new CookieContainer());
        using var begun = await BeginAsync(first);
        using var others = host.Client();
        for (var i = 0; i < 1000; i++)
        {
            using var other = await others.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/api/v1/session/oidc"));
            other.StatusCode.ShouldBe(HttpStatusCode.Found);
        }

        using var back = await first.GetAsync(begun.Headers.Location);
        using var end = await first.GetAsync(back.Headers.Location);

        end.StatusCode.ShouldBe(HttpStatusCode.Found);
    }

    [Fact]
    public async Task Begin_Always_CookiesAreOutOfReachOfScriptsAndEncryptedBehindHttps()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer, configure: options => options.Address = "https://portal.example.org/");
        using var browser = host.Client();

        using var begun = await BeginAsync(browser);

        var cookies = begun.Headers.GetValues("Set-Cookie").ToList();
        cookies.Count.ShouldBe(2);
        foreach (var rule in new[] { "httponly", "samesite=lax", "secure", "path=/api/v1/session/oidc/callback" })
            cookies.ShouldAllBe(c => c.Contains(rule));
        Uri.UnescapeDataString(begun.Headers.Location!.Query).ShouldContain("redirect_uri=https://portal.example.org/api/v1/session/oidc/callback");
    }

    /// <summary>An identity provider that is away is said to be away, and is asked again the next time.</summary>
    [Theory]
    [InlineData("text/html", "<h1>You are not signed in</h1>")]
    [InlineData("application/json", "\"detail\":\"The identity provider does not answer")]
    public async Task Begin_ProviderIsDown_SaysSo(string accept, string answer)
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.IsDown = true;
        using var browser = host.Client();
        browser.DefaultRequestHeaders.Add("Accept", accept);

        using var down = await browser.GetAsync("/api/v1/session/oidc");
        var text = await down.Content.ReadAsStringAsync();
        issuer.IsDown = false;
        using var up = await browser.GetAsync("/api/v1/session/oidc");

        down.StatusCode.ShouldBe(HttpStatusCode.BadGateway);
        text.ShouldContain(answer);
        text.ShouldContain("does not answer as it should");
        text.ShouldNotContain("Exception");
        up.StatusCode.ShouldBe(HttpStatusCode.Found);
    }

    [Theory]
    [InlineData("access_denied", "access_denied")]
    [InlineData("login_required", "login_required")]
    [InlineData("%3Cb%3Ex", "&lt;b&gt;x")]
    public async Task Callback_ProviderRefuses_SaysWhat(string error, string said)
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Error = error;
        using var browser = host.Client(new CookieContainer());
        browser.DefaultRequestHeaders.Add("Accept", "text/html");

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await end.Content.ReadAsStringAsync()).ShouldContain($"The identity provider did not sign you in ({said})");
        end.Headers.GetValues("Content-Security-Policy").Single().ShouldStartWith("default-src 'none'; style-src 'sha256-");
    }

    /// <summary>The issuer has a new key: what was remembered of it is read again.</summary>
    [Fact]
    public async Task SignIn_IssuerHasANewKey_WorksAgainWithinSeconds()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Groups = ["leads"];
        using var browser = host.Client(new CookieContainer());
        (await SignInAsync(browser)).StatusCode.ShouldBe(HttpStatusCode.Found);
        issuer.ChangeKey();

        // The first attempt with the unknown key has the keys fetched, in the background.
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var status = (await SignInAsync(browser)).StatusCode;
        while (status != HttpStatusCode.Found && clock.Elapsed < TimeSpan.FromSeconds(30))
        {
            await Task.Delay(200);
            status = (await SignInAsync(browser)).StatusCode;
        }

        status.ShouldBe(HttpStatusCode.Found);
    }

    [Fact]
    public async Task Callback_UsedTwice_IsRefused()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Groups = ["leads"];
        using var browser = host.Client(new CookieContainer());
        using var begun = await BeginAsync(browser);
        using var back = await browser.GetAsync(begun.Headers.Location);
        using var first = await browser.GetAsync(back.Headers.Location);

        using var second = await browser.GetAsync(back.Headers.Location);

        first.StatusCode.ShouldBe(HttpStatusCode.Found);
        second.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    /// <summary>Somebody signs in, and has the victim's browser open the last address: the victim would work in the attacker's name.</summary>
    [Fact]
    public async Task Callback_InAnotherBrowser_IsRefused()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await StartAsync(issuer);
        issuer.Groups = ["leads"];
        using var attacker = host.Client(new CookieContainer());
        using var victim = host.Client(new CookieContainer());
        using var begun = await BeginAsync(attacker);
        using var back = await attacker.GetAsync(begun.Headers.Location);

        using var end = await victim.GetAsync(back.Headers.Location);

        end.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    /// <summary>The redirect to the issuer. The portal gives up on an issuer that takes ten seconds, and a person tries again; so does this.</summary>
    private static async Task<HttpResponseMessage> BeginAsync(HttpClient browser)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            var begun = await browser.GetAsync("/api/v1/session/oidc");
            if (begun.StatusCode == HttpStatusCode.Found)
                return begun;
            var text = await begun.Content.ReadAsStringAsync();
            begun.Dispose();
            clock.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(1), text);
            await Task.Delay(500);
        }
    }

    private static async Task<HttpResponseMessage> SignInAsync(HttpClient browser)
    {
        using var begun = await BeginAsync(browser);
        using var back = await browser.GetAsync(begun.Headers.Location);
        return await browser.GetAsync(back.Headers.Location);
    }

    private static Task<PortalHost> StartAsync(
        TestIssuer issuer, Action<WebApplication>? orchestrator = null, Action<PortalOptions>? configure = null) =>
        PortalHost.StartAsync(orchestrator, options =>
        {
            options.Oidc.Issuer = issuer.Address;
            options.Oidc.ClientId = "portal";
            options.Oidc.Roles = "visitors=viewer, leads=admin";
            options.Oidc.ViewerApiKey = PortalHost.ViewerKey;
            options.Oidc.AdminApiKey = PortalHost.AdminKey;
            configure?.Invoke(options);
            options.Validate();
        });
}
