using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>The pages of the reference, and the log of a run as people search it.</summary>
[Collection(PortalCollection.Name)]
public sealed class ReferenceAndLogTests(PortalSite site)
{
    [Fact]
    public async Task Reference_FromTheListToAPage_ShowsOptionsWithDefaultsAndSaysWhatIsMissing()
    {
        await using var visit = await site.VisitAsAsync("viewer", "/reference");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = "matrix" }).ClickAsync();
        await page.GetByText("A step for every combination").WaitForAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "All topics" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "train", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Cell, new() { Name = "learning-rate", Exact = true }).WaitForAsync();
        await visit.PictureAsync("reference-train");
        visit.ShouldHaveNoErrors();

        await page.GotoAsync("/reference/trian");
        await page.GetByText("There is no topic 'trian': did you mean 'train'?").WaitForAsync();
    }

    [Fact]
    public async Task Log_SearchedAndFilteredByLevel_IsWhatTheServerFinds_AndDownloads()
    {
        var run = await site.ModelRunAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;
        var log = page.GetByRole(AriaRole.Log);
        await log.GetByText("succeeded", new() { Exact = true }).First.WaitForAsync();
        var all = await log.Locator("div").CountAsync();

        await page.GetByLabel("Search in the log").FillAsync("REGISTERED");
        await page.WaitForFunctionAsync("() => { const lines = [...document.querySelectorAll('.log div')]; "
            + "return lines.length > 0 && lines.every(line => /registered/i.test(line.textContent)); }");
        (await log.Locator("div").CountAsync()).ShouldBeLessThan(all);

        await page.GetByLabel("Search in the log").FillAsync("");
        await page.GetByLabel("Lowest level shown").SelectOptionAsync("error");
        await log.GetByText("No line matches.").WaitForAsync();

        await page.GetByLabel("Lowest level shown").SelectOptionAsync("info");
        await log.GetByText("succeeded", new() { Exact = true }).First.WaitForAsync();
        var download = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Link, new() { Name = "Download" }).ClickAsync());
        download.SuggestedFilename.ShouldEndWith(".log");
        var text = await File.ReadAllLinesAsync((await download.PathAsync())!);
        text.ShouldContain(line => line.Contains(" info    run  succeeded", StringComparison.Ordinal));
        visit.ShouldHaveNoErrors();
    }
}
