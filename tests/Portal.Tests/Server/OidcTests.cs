using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
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
        await using var host = await StartAsync(issuer, orchestrator => orchestrator.MapGet("/api/v1/runs", (HttpContext context) => key = context.Request.Headers.Authorization));
        issuer.Groups = ["visitors", "leads"];
        using var browser = host.Client(new CookieContainer());

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.Found);
        end.Headers.Location!.ToString().ShouldBe("/");
        var session = await browser.GetFromJsonAsync<JsonElement>("/api/v1/session");
        (session.GetProperty("signed-in").GetBoolean(), session.GetProperty("role").GetString(), session.GetProperty("name").GetString()).ShouldBe((true, "admin", "ada"));
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
        };
        using var browser = host.Client(new CookieContainer());

        using var end = await SignInAsync(browser);

        end.StatusCode.ShouldBe(HttpStatusCode.BadGateway);
        (await browser.GetFromJsonAsync<JsonElement>("/api/v1/session")).GetProperty("signed-in").GetBoolean().ShouldBeFalse();
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
        using var begun = await attacker.GetAsync("/api/v1/session/oidc");
        using var back = await attacker.GetAsync(begun.Headers.Location);

        using var end = await victim.GetAsync(back.Headers.Location);

        end.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    private static async Task<HttpResponseMessage> SignInAsync(HttpClient browser)
    {
        using var begun = await browser.GetAsync("/api/v1/session/oidc");
        begun.StatusCode.ShouldBe(HttpStatusCode.Found, await begun.Content.ReadAsStringAsync());
        using var back = await browser.GetAsync(begun.Headers.Location);
        return await browser.GetAsync(back.Headers.Location);
    }

    private static Task<PortalHost> StartAsync(TestIssuer issuer, Action<WebApplication>? orchestrator = null) => PortalHost.StartAsync(orchestrator, options =>
    {
        options.Oidc.Issuer = issuer.Address;
        options.Oidc.ClientId = "portal";
        options.Oidc.Roles = "visitors=viewer, leads=admin";
        options.Oidc.ViewerApiKey = PortalHost.ViewerKey;
        options.Oidc.AdminApiKey = PortalHost.AdminKey;
        options.Validate();
    });
}
