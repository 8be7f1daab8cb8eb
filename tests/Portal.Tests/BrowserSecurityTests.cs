using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>What hostile text, a hostile page and a hostile script can do in a real browser: nothing.</summary>
[Collection(PortalCollection.Name)]
public sealed class BrowserSecurityTests(PortalSite site)
{
    private const string Hostile =
        """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>"""
        + """[click](javascript:window.hacked=1) <svg/onload=window.hacked=1>""";

    [Fact]
    public async Task Markup_InNamesTagsCardsAndReasons_StaysText()
    {
        var model = await site.ModelAsync();
        using (var client = site.Client("admin"))
        {
            await OkAsync(client.PatchAsJsonAsync($"/api/v1/models/{model}", new { description = Hostile, tags = new { note = Hostile } }));
            await OkAsync(client.PatchAsJsonAsync($"/api/v1/models/{model}/versions/1", new { description = Hostile, tags = new { note = Hostile } }));
            await OkAsync(client.PutAsJsonAsync($"/api/v1/models/{model}/aliases/odd", new { version = 1, reason = Hostile }));
        }
        using var submitter = site.Client("submitter");
        var pipeline = new StringContent(Pipelines.Waiting("named", "").Replace("units: 10", "units: 1"));
        using var submitted = await submitter.PostAsync($"/api/v1/runs?file={Uri.EscapeDataString(Hostile)}", pipeline);
        var run = (await submitted.Content.ReadFromJsonAsync<System.Text.Json.JsonElement>()).GetProperty("run-id").GetString();
        await using var visit = await site.VisitAsAsync("admin");
        var page = visit.Page;

        foreach (var path in new[] { "/models", $"/models/{model}", $"/models/{model}/1", $"/runs/{run}" })
        {
            await page.GotoAsync(path);
            await page.GetByText("<img src=x onerror").First.WaitForAsync();
            (await page.EvaluateAsync<bool>("window.hacked === undefined")).ShouldBeTrue(path);
            (await page.Locator("main img, main script, a[href^='javascript:' i]").CountAsync()).ShouldBe(0, path);
        }
        await visit.PictureAsync("hostile-card");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Script_ThatGotIn_IsNotRun()
    {
        await using var visit = await site.VisitAsAsync("viewer");

        var outcomes = await visit.Page.EvaluateAsync<Dictionary<string, string>>(
            """
            async () => {
              // In a task of its own: what the test driver itself evaluates is exempt from the policy.
              const attempt = work => new Promise(resolve => setTimeout(async () => {
                try { resolve(String(await work())); } catch (error) { resolve(error.name); }
              }));
              return {
                inner: await attempt(() => { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'done'; }),
                evaluated: await attempt(() => new Function('return "done"')()),
                inline: await attempt(() => new Promise(resolve => {
                  const button = document.createElement('button');
                  button.setAttribute('onclick', 'window.hacked = 1');
                  document.body.append(button);
                  button.click();
                  resolve(window.hacked === 1 ? 'done' : 'refused');
                })),
                elsewhere: await attempt(() => fetch('http://127.0.0.1:9/').then(() => 'done')),
              };
            }
            """);

        outcomes.ShouldBe(new Dictionary<string, string>
        {
            ["inner"] = "TypeError",
            ["evaluated"] = "EvalError",
            ["inline"] = "TypeError",
            ["elsewhere"] = "TypeError",
        });
        visit.Errors.Count(e => e.Contains("Content Security Policy")).ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api/v1/session")]
    [InlineData("/api/v1/models")]
    public async Task Answer_OfAnyKind_CarriesTheRulesForBrowsers(string path)
    {
        using var client = site.Client("viewer");

        using var answer = await client.GetAsync(path);

        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        policy.ShouldContain("default-src 'none'");
        policy.ShouldContain("frame-ancestors 'none'");
        policy.ShouldNotContain("unsafe");
        answer.Headers.GetValues("X-Content-Type-Options").Single().ShouldBe("nosniff");
        answer.Headers.GetValues("Referrer-Policy").Single().ShouldBe("no-referrer");
    }

    /// <summary>Another port of the same host is the same site: the browser does send the cookie, and that must not be enough.</summary>
    [Fact]
    public async Task Page_OfAnotherOrigin_ChangesNothing()
    {
        await using var visit = await site.VisitAsAsync("admin");
        await using var evil = await EvilSiteAsync(site.Address);
        var before = await RunsAsync();
        await visit.Page.GotoAsync(evil.Urls.Single());
        await visit.Page.Locator("body[data-asked]").WaitForAsync(); // its request in the background was answered

        // One navigation at a time: the form is sent from a page that has come to rest, and so is its answer before the next one.
        var answered = visit.Page.WaitForResponseAsync(r => r.Request is { Method: "POST", IsNavigationRequest: true });
        await visit.Page.GetByRole(AriaRole.Button).ClickAsync();
        (await answered).Status.ShouldBe((int)HttpStatusCode.Forbidden);
        await visit.Page.WaitForURLAsync("**/api/v1/runs");

        (await RunsAsync()).ShouldBe(before);
        await visit.Page.GotoAsync("/runs");
        await visit.Page.GetByRole(AriaRole.Navigation).WaitForAsync(); // still signed in: it was refused for what it was, not for who
    }

    [Fact]
    public async Task Session_AfterSignOut_IsOverForEveryPage()
    {
        await using var visit = await site.VisitAsync();
        await visit.SignInAsync(site.KeyOf("viewer"));
        (await visit.CookiesAsync()).ShouldHaveSingleItem().HttpOnly.ShouldBeTrue();
        (await visit.Page.EvaluateAsync<string>("document.cookie")).ShouldBeEmpty();

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await visit.Page.GetByLabel("API key").WaitForAsync();

        (await visit.CookiesAsync()).ShouldBeEmpty();
        await visit.Page.GotoAsync("/models");
        await visit.Page.GetByLabel("API key").WaitForAsync();
        await visit.PictureAsync("signed-out");
    }

    [Fact]
    public async Task SignIn_WrongKey_SaysSoAndStaysAtTheDoor()
    {
        await using var visit = await site.VisitAsync();
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByLabel("API key").FillAsync("esp_wrong");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();

        await visit.Page.GetByText("There is no such key").WaitForAsync();
        await visit.PictureAsync("sign-in-wrong-key");
    }

    private async Task<int> RunsAsync()
    {
        using var client = site.Client("viewer");
        return (await client.GetFromJsonAsync<System.Text.Json.JsonElement[]>("/api/v1/runs?limit=1000"))!.Length;
    }

    private static async Task OkAsync(Task<HttpResponseMessage> sending)
    {
        using var answer = await sending;
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>A page that sends what a page can send without asking: a request without reading the answer, and a form.</summary>
    private static async Task<WebApplication> EvilSiteAsync(Uri target)
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.MapGet("/", () => Results.Content(
            $$"""
            <form method="post" enctype="text/plain" action="{{target}}api/v1/runs"><input name="name: evil
            stages: { a: { uses: noop } }
            # " value="x"><button>Go on</button></form>
            <script>
              const body = 'name: evil\nstages:\n  a: { uses: noop }\n';
              fetch('{{target}}api/v1/runs', { method: 'POST', mode: 'no-cors', credentials: 'include', body })
                .finally(() => document.body.dataset.asked = 'yes');
            </script>
            """, "text/html"));
        await app.StartAsync();
        return app;
    }
}
