using System.Net;
using System.Net.Http.Json;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Models and versions, as somebody looks at them in the browser.</summary>
[Collection(PortalCollection.Name)]
public sealed class ModelFlowTests(PortalSite site)
{
    [Fact]
    public async Task Version_EveryTab_ShowsWhatTheRegistryKnows()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer");
        var page = visit.Page;
        await page.GotoAsync($"/models/{model}/1");

        await page.Locator(".markdown h2").First.WaitForAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Metrics" }).ClickAsync();
        await page.GetByRole(AriaRole.Cell, new() { Name = "loss", Exact = true }).WaitForAsync();
        await visit.PictureAsync("version-metrics");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Files" }).ClickAsync();
        var download = page.WaitForDownloadAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "config.json" }).ClickAsync();
        (await File.ReadAllTextAsync(await (await download).PathAsync())).ShouldContain("num_experts");
        await visit.PictureAsync("version-files");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Lineage" }).ClickAsync();
        await page.Locator(".node").First.WaitForAsync();
        (await page.Locator(".node").CountAsync()).ShouldBe(2);
        await visit.PictureAsync("version-lineage");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Receipts" }).ClickAsync();
        await page.Locator(".facts dt").GetByText("worker", new() { Exact = true }).First.WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Versions_Ticked_AreCompared()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer");
        var page = visit.Page;
        await page.GotoAsync($"/models/{model}");
        await page.GetByRole(AriaRole.Heading, new() { Name = "Loss against bytes" }).WaitForAsync();
        await visit.PictureAsync("model");

        await page.GetByLabel($"Compare {model}@1").CheckAsync();
        await page.GetByLabel($"Compare {model}@2").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Compare 1 and 2" }).ClickAsync();

        await page.GetByRole(AriaRole.Heading, new() { Name = "Weights" }).WaitForAsync();
        await page.GetByText("shared,").WaitForAsync();
        (await page.GetByRole(AriaRole.Row).Filter(new() { HasText = "loss" }).CountAsync()).ShouldBeGreaterThan(0);
        await visit.PictureAsync("compare");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Promote_WithTheRole_MovesTheAliasAndKeepsTheReason()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("promoter");
        var page = visit.Page;
        await page.GotoAsync($"/models/{model}/2");

        await page.GetByLabel("Alias").FillAsync("stable");
        await page.GetByLabel("Reason").FillAsync("lower loss");
        await page.GetByRole(AriaRole.Button, new() { Name = "Move the alias here" }).ClickAsync();
        await page.GetByText("stable points here now.").WaitForAsync();
        await visit.PictureAsync("version-promoted");

        await page.GotoAsync($"/models/{model}");
        await page.GetByText("stable → 2").WaitForAsync();
        await page.GetByText("lower loss").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Promote_WithoutTheRole_IsNotOfferedAndRefused()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("submitter");
        await visit.Page.GotoAsync($"/models/{model}/1");
        await visit.Page.Locator(".markdown h2").First.WaitForAsync();

        (await visit.Page.GetByRole(AriaRole.Heading, new() { Name = "Promote" }).CountAsync()).ShouldBe(0);
        var status = await visit.Page.EvaluateAsync<int>(
            $"async () => (await fetch('/api/v1/models/{model}/aliases/stable', {{ method: 'PUT', headers: {{ 'X-Espalier-Request': '1', 'Content-Type': 'application/json' }}, body: '{{\"version\":1,\"reason\":\"\"}}' }})).status");
        status.ShouldBe((int)HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Models_Searched_AreFoundByName()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer");
        await visit.Page.GotoAsync("/models");
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = model }).WaitForAsync();
        await visit.PictureAsync("models");

        await visit.Page.GetByLabel("Search").FillAsync("no-such-model");
        await visit.Page.GetByText("No model has").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }
}
