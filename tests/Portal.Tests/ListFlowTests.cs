using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Lists that the server filters, orders and pages; what is selected in them is compared; who works on what.</summary>
[Collection(PortalCollection.Name)]
public sealed class ListFlowTests(PortalSite site)
{
    [Fact]
    public async Task Versions_FilteredAndOrdered_AreThoseOfTheAddress()
    {
        var model = await site.ModelAsync();
        using (var client = site.Client("admin"))
        {
            var tags = new { tags = new Dictionary<string, string> { ["team"] = "core" } };
            (await client.PatchAsJsonAsync($"/api/v1/models/{model}/versions/1", tags)).EnsureSuccessStatusCode();
        }
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}");
        var page = visit.Page;
        var rows = page.Locator("table.rows tbody tr");
        await Assertions.Expect(rows).ToHaveCountAsync(2, Patient);
        (await page.Locator("main .card h2").AllInnerTextsAsync()).Take(3).ShouldBe(["Aliases", "Gates", "Versions"]);

        await page.GetByLabel("Filter versions").FillAsync("tag.team = core");
        await page.GetByRole(AriaRole.Button, new() { Name = "Filter", Exact = true }).ClickAsync();
        await Assertions.Expect(rows).ToHaveCountAsync(1, Patient);
        await visit.MovesToAsync("filter=tag.team");
        (await rows.First.InnerTextAsync()).ShouldContain("team: core");

        await page.GetByLabel("Filter versions").FillAsync("");
        await Assertions.Expect(rows).ToHaveCountAsync(2, Patient);
        await page.GetByRole(AriaRole.Button, new() { Name = "loss", Exact = true }).ClickAsync();
        await Assertions.Expect(page.Locator("th[aria-sort=ascending]")).ToHaveTextAsync("loss", new() { Timeout = PortalVisit.Patience });
        await Assertions.Expect(rows.First).ToContainTextAsync(new Regex("^2 "), new() { Timeout = PortalVisit.Patience }); // trained longer
        await page.GetByRole(AriaRole.Button, new() { Name = "loss", Exact = true }).ClickAsync();
        await Assertions.Expect(rows.First).ToContainTextAsync(new Regex("^1 "), new() { Timeout = PortalVisit.Patience });
        await page.ReloadAsync();
        await Assertions.Expect(rows.First).ToContainTextAsync(new Regex("^1 "), new() { Timeout = PortalVisit.Patience }); // the address can be shared

        await page.GetByLabel("Filter versions").FillAsync("loss <");
        await page.GetByRole(AriaRole.Button, new() { Name = "Filter", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Alert).GetByText("expected a value").WaitForAsync();
        await visit.PictureAsync("versions-wrong-filter");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Runs_OfAPipelineAndSelected_AreCompared()
    {
        foreach (var units in new[] { 1, 2 })
            await site.EndAsync(await site.SubmitAsync(Pipelines.Quick("alike").Replace("units: 1", $"units: {units}")));
        await using var visit = await site.VisitAsAsync("viewer", "/runs");
        var page = visit.Page;
        await page.GetByLabel("Pipeline", new() { Exact = true }).FillAsync("alike");
        await page.GetByRole(AriaRole.Button, new() { Name = "Filter", Exact = true }).ClickAsync();
        var rows = page.Locator("table.rows tbody tr");
        await Assertions.Expect(rows).ToHaveCountAsync(2, Patient);
        (await page.GetByRole(AriaRole.Button, new() { Name = "Select two or more to compare" }).IsDisabledAsync()).ShouldBeTrue();

        var submitted = page.GetByRole(AriaRole.Button, new() { Name = "Submitted", Exact = true });
        await submitted.ClickAsync(); // newest first before
        await visit.MovesToAsync("order=created");
        await Assertions.Expect(rows.First).ToContainTextAsync("alike#1", new() { Timeout = PortalVisit.Patience });
        await Assertions.Expect(page.Locator("th[aria-sort=ascending]")).ToHaveTextAsync("Submitted", new() { Timeout = PortalVisit.Patience });
        await submitted.ClickAsync();
        await Assertions.Expect(rows.First).ToContainTextAsync("alike#2", new() { Timeout = PortalVisit.Patience });

        foreach (var row in await rows.AllAsync())
            await row.GetByRole(AriaRole.Checkbox).CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Compare 2 runs" }).ClickAsync();

        var options = page.GetByRole(AriaRole.Table, new() { Name = "Options" });
        await options.WaitForAsync();
        (await options.InnerTextAsync()).ShouldMatch(@"a\.units\s+2\s+1");
        (await options.InnerTextAsync()).ShouldNotContain("a.text"); // it is the same in both
        await page.Locator("section").Filter(new() { Has = options }).GetByLabel("show equal values").CheckAsync();
        await options.GetByText("a.text").WaitForAsync();
        await page.GetByLabel("Filter options").FillAsync("units");
        await Assertions.Expect(options.Locator("tbody tr")).ToHaveCountAsync(1, Patient);
        await visit.PictureAsync("compare-runs");
        visit.ShouldHaveNoErrors();
    }

    /// <summary>Training curves of one run's steps, found again at the address alone.</summary>
    [Fact]
    public async Task Runs_ThatTrained_ShowTheirCurvesInOneChart()
    {
        var run = await site.ModelRunAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/compare?run={run}");
        var page = visit.Page;

        await page.GetByRole(AriaRole.Img, new() { NameRegex = new("^loss over tokens: orchard#\\d+ · base ends at .*, orchard#\\d+ · more ends at") })
            .WaitForAsync();
        await page.GetByRole(AriaRole.Combobox, new() { Name = "Metric" }).SelectOptionAsync("grad-norm");
        await page.GetByRole(AriaRole.Img, new() { NameRegex = new("^grad-norm over tokens") }).WaitForAsync();
        var metrics = page.GetByRole(AriaRole.Table, new() { Name = "Metrics" });
        await metrics.GetByText("scores.base.loss", new() { Exact = true }).First.WaitForAsync();
        await visit.PictureAsync("compare-curves");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Workers_SayWhatTheyDoAndWhatWaitsForThem()
    {
        File.Delete(site.Gate);
        var run = await site.SubmitAsync(Pipelines.Waiting("worked", site.Gate));
        var stranded = await site.SubmitAsync(Pipelines.Quick("stranded").Replace("uses: noop,", "uses: noop, device: cuda,"));
        await using var visit = await site.VisitAsAsync("viewer", "/workers");
        var page = visit.Page;
        var workers = page.GetByRole(AriaRole.Table, new() { Name = "Workers" });

        var busy = workers.GetByRole(AriaRole.Row).Filter(new() { HasText = "worked · half" });
        (await busy.InnerTextAsync()).ShouldMatch(@"noop, for [\d.]+ s");
        (await workers.GetByText("idle, asked for work").CountAsync()).ShouldBeGreaterThan(0);
        var waiting = page.GetByRole(AriaRole.Table, new() { Name = "Waiting steps" }).GetByRole(AriaRole.Row).Filter(new() { HasText = "stranded · a" });
        (await waiting.InnerTextAsync()).ShouldContain("No live worker offers 'noop' on cuda, only on cpu");
        await visit.PictureAsync("workers-busy");

        using (var client = site.Client("admin"))
            (await client.PostAsync($"/api/v1/runs/{stranded}/cancel", null)).EnsureSuccessStatusCode();
        await File.WriteAllTextAsync(site.Gate, "open");
        await busy.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await waiting.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await site.EndAsync(run);
        visit.ShouldHaveNoErrors();
    }

    /// <summary>Two clocks of one run never show different times: they hang on one timer.</summary>
    [Fact]
    public async Task Clocks_OfAPage_StepTogether()
    {
        File.Delete(site.Gate);
        var run = await site.SubmitAsync(Pipelines.Waiting("clocks", site.Gate));
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        await visit.Page.Locator("#step-half[data-state=running]").WaitForAsync();

        var moments = await visit.Page.EvaluateAsync<int>(
            """
            async () => {
              // Every burst of changes of clocks that did not come in one task would be counted on its own.
              let bursts = 0, open = false;
              new MutationObserver(records => {
                if (!records.some(r => /\d s$/.test(r.target.textContent ?? ''))) return;
                if (!open) { bursts++; open = true; setTimeout(() => open = false, 100); }
              }).observe(document.querySelector('main'), { subtree: true, characterData: true });
              await new Promise(resolve => setTimeout(resolve, 5500));
              return bursts;
            }
            """);

        moments.ShouldBeInRange(1, 6);
        await File.WriteAllTextAsync(site.Gate, "open");
        await site.EndAsync(run);
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task NarrowWindow_HasTheThemeSwitchAndWhoIsSignedIn()
    {
        await using var visit = await site.VisitAsAsync("admin", "/runs", width: 390, height: 800);
        var page = visit.Page;

        await page.GetByRole(AriaRole.Radio, new() { Name = "dark" }).ClickAsync();
        (await page.EvaluateAsync<string>("document.documentElement.dataset.theme")).ShouldBe("dark");
        (await page.Locator(".who").InnerTextAsync()).ShouldContain("administrator");
        (await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).IsVisibleAsync()).ShouldBeTrue();
        (await page.EvaluateAsync<int>("document.documentElement.scrollWidth - window.innerWidth")).ShouldBeLessThanOrEqualTo(0);
        await visit.PictureAsync("narrow-dark-theme");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task CrashMatrix_IsForAdministrators()
    {
        await using var viewer = await site.VisitAsAsync("viewer", "/crash-matrix");
        await viewer.Page.GetByRole(AriaRole.Alert).GetByText("for administrators").WaitForAsync();
        (await viewer.Page.GetByRole(AriaRole.Link, new() { Name = "Crash matrix" }).CountAsync()).ShouldBe(0);
        (await viewer.StatusOfAsync("GET", "/api/v1/crash-matrix")).ShouldBe(403);

        await using var admin = await site.VisitAsAsync("admin", "/crash-matrix");
        await admin.Page.GetByRole(AriaRole.Heading, new() { Name = "Crash matrix" }).WaitForAsync();
        (await admin.Page.GetByRole(AriaRole.Link, new() { Name = "Crash matrix" }).CountAsync()).ShouldBe(1);
    }

    private static LocatorAssertionsToHaveCountOptions Patient => new() { Timeout = PortalVisit.Patience };
}
