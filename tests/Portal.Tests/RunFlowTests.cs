using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Runs, as somebody follows them in the browser.</summary>
[Collection(PortalCollection.Name)]
public sealed class RunFlowTests(PortalSite site)
{
    /// <summary>Tokens that take some seconds on any machine: a training that is over at once cannot be seen to grow.</summary>
    private const string Watchable = "250k";

    [Fact]
    public async Task Pipeline_WrittenInTheEditor_IsWatchedLiveToItsVersion()
    {
        await using var visit = await site.VisitAsAsync("submitter");
        var page = visit.Page;

        await page.GetByRole(AriaRole.Link, new() { Name = "Submit a pipeline" }).ClickAsync();
        var editor = page.GetByLabel("Pipeline");
        await editor.FillAsync(Pipelines.Trained("watched", 7, Watchable).Replace("top-k", "topk"));
        await page.GetByText("1 problem").WaitForAsync();
        (await page.Locator(".gutter .bad").InnerTextAsync()).ShouldBe("7");
        (await page.GetByRole(AriaRole.List, new() { Name = "Problems" }).InnerTextAsync()).ShouldContain("did you mean 'top-k'?");
        (await page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).IsDisabledAsync()).ShouldBeTrue();
        await visit.PictureAsync("submit-problem");

        await editor.FillAsync(Pipelines.Trained("watched", 7, Watchable));
        await page.GetByText("ready to run").WaitForAsync();
        (await page.Locator(".node").CountAsync()).ShouldBe(4);
        await visit.PictureAsync("submit-plan");
        await page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).ClickAsync();

        var curve = page.Locator(".curve").First;
        await curve.WaitForAsync(new() { Timeout = 120_000 });
        var early = (await curve.GetAttributeAsync("d"))!.Length;
        (await page.Locator("h1 .state").InnerTextAsync()).ShouldBe("running");
        await page.WaitForFunctionAsync("early => document.querySelector('.curve').getAttribute('d').length > early + 40", early);
        await page.GetByText("Expert load of base").WaitForAsync();
        await visit.PictureAsync("run-live");

        await page.Locator("h1 .state.succeeded").WaitForAsync(new() { Timeout = 180_000 });
        await page.GetByText("Routing of base").WaitForAsync();
        await page.Locator(".log").GetByText("watched@1 registered").WaitForAsync();
        await visit.PictureAsync("run-done");

        await page.GetByRole(AriaRole.Link, new() { Name = "Models" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "watched", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "1", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Heading, new() { Name = "Metrics" }).WaitForAsync();
        await visit.PictureAsync("version-card");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Run_Cancelled_StopsAndGoesOnWhenResumed()
    {
        File.Delete(site.Gate);
        var run = await site.SubmitAsync(Pipelines.Waiting("cancelled", site.Gate));
        await using var visit = await site.VisitAsAsync("submitter");
        var page = visit.Page;
        await page.GotoAsync($"/runs/{run}");
        await page.Locator("#step-half[data-state=running]").WaitForAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel", Exact = true }).ClickAsync();
        await visit.PictureAsync("run-cancel-asks");
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the run" }).ClickAsync();
        await page.Locator("h1 .state.cancelled").WaitForAsync();
        await visit.PictureAsync("run-cancelled");

        await File.WriteAllTextAsync(site.Gate, "open");
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume" }).ClickAsync();
        await page.Locator("h1 .state.succeeded").WaitForAsync();
        await page.Locator("#step-after[data-state=succeeded]").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Change_OfAState_IsSeenWithinASecond()
    {
        File.Delete(site.Gate);
        var run = await site.SubmitAsync(Pipelines.Waiting("seen", site.Gate));
        await using var visit = await site.VisitAsAsync("viewer");
        await using var list = await site.VisitAsAsync("viewer");
        await visit.Page.GotoAsync($"/runs/{run}");
        await list.Page.GotoAsync("/runs");
        await visit.Page.Locator("#step-half[data-state=running]").WaitForAsync();
        await list.Page.Locator(".live.live").WaitForAsync();
        var seen = SeenAsync(visit.Page, "#step-after[data-state=succeeded]");
        var listed = SeenAsync(list.Page, $"tr:has(a[href='/runs/{run}']) .state.succeeded");

        await File.WriteAllTextAsync(site.Gate, "open");
        var (stepSeen, runSeen) = (await seen, await listed);

        using var client = site.Client("viewer");
        var log = (await client.GetFromJsonAsync<JsonElement[]>($"/api/v1/runs/{run}/log"))!;
        (stepSeen - AtOf(log, "after")).ShouldBeLessThan(1000, "milliseconds from the ledger to the page of the run");
        (runSeen - AtOf(log, "")).ShouldBeLessThan(1000, "milliseconds from the ledger to the list of runs");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Run_SeenByAViewer_OffersNothingThatNeedsMore()
    {
        var run = await site.SubmitAsync(Pipelines.Waiting("viewed", "").Replace("units: 10", "units: 1"));
        await site.EndAsync(run);
        await using var visit = await site.VisitAsAsync("viewer");
        await visit.Page.GotoAsync($"/runs/{run}");
        await visit.Page.Locator("h1 .state.succeeded").WaitForAsync();

        foreach (var name in new[] { "Cancel", "Resume", "Re-run from here" })
            (await visit.Page.GetByRole(AriaRole.Button, new() { Name = name }).CountAsync()).ShouldBe(0, name);

        // The server refuses it all the same.
        var status = await visit.Page.EvaluateAsync<int>($"async () => (await fetch('/api/v1/runs/{run}/steps/half/rerun', {{ method: 'POST', headers: {{ 'X-Espalier-Request': '1' }} }})).status");
        status.ShouldBe(403);
    }

    [Fact]
    public async Task Rerun_FromAStep_OpensTheNewRun()
    {
        var run = await site.SubmitAsync(Pipelines.Waiting("again", "").Replace("units: 10", "units: 1"));
        await site.EndAsync(run);
        await using var visit = await site.VisitAsAsync("submitter");
        await visit.Page.GotoAsync($"/runs/{run}");
        await visit.Page.Locator("#step-after").ClickAsync();

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Re-run from here" }).ClickAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Run again" }).ClickAsync();

        await visit.MovesToAsync($"/runs/(?!{run})");
        await visit.Page.Locator("h1 .state.succeeded").WaitForAsync();
        await visit.Page.Locator("#step-half[data-state=cached]").WaitForAsync();
        await visit.Page.Locator("#step-after[data-state=succeeded]").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Steps_ByKeyboard_AreWalkedAndChosen()
    {
        var run = await site.SubmitAsync(Pipelines.Waiting("keys", "").Replace("units: 10", "units: 1"));
        await site.EndAsync(run);
        await using var visit = await site.VisitAsAsync("viewer");
        var page = visit.Page;
        await page.GotoAsync($"/runs/{run}");
        await page.Locator("#step-half").FocusAsync();

        await page.Keyboard.PressAsync("Enter");
        (await page.Locator(".step-panel h2").InnerTextAsync()).ShouldBe("half");
        await page.Keyboard.PressAsync("ArrowRight");
        (await page.Locator(".step-panel h2").InnerTextAsync()).ShouldBe("after");

        await page.GotoAsync("/");
        await page.GetByRole(AriaRole.Navigation).WaitForAsync();
        await page.Keyboard.PressAsync("Tab");
        (await page.EvaluateAsync<string>("document.activeElement.textContent")).ShouldBe("To the content");
        await page.Keyboard.PressAsync("Enter");
        (await page.EvaluateAsync<string>("document.activeElement.id")).ShouldBe("content");
    }

    /// <summary>When the page first shows something, in milliseconds since 1970, by the page's own clock.</summary>
    private static Task<double> SeenAsync(IPage page, string selector) => page.EvaluateAsync<double>(
        """
        selector => new Promise((resolve, reject) => {
          const look = () => document.querySelector(selector) && resolve(Date.now());
          new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
          setTimeout(() => reject(new Error('never seen: ' + selector)), 20000);
          look();
        })
        """, selector);

    private static double AtOf(JsonElement[] log, string step) =>
        DateTimeOffset.Parse(log.Last(l => l.GetProperty("step").GetString() == step && l.GetProperty("text").GetString() == "succeeded").GetProperty("at").GetString()!, CultureInfo.InvariantCulture).ToUnixTimeMilliseconds();
}
