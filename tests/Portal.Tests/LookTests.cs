using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

[Collection(PortalCollection.Name)]
public sealed class LookTests(PortalSite site)
{
    [Fact]
    public async Task Scratch()
    {
        await using var visit = await site.VisitAsync();
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByLabel("API key").WaitForAsync();
        await visit.PictureAsync("sign-in");
        await visit.SignInAsync(site.KeyOf("admin"));
        await visit.Page.GetByText("Nothing has run yet").WaitForAsync();
        await visit.PictureAsync("runs-empty");
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "Submit a pipeline" }).ClickAsync();
        await visit.Page.GetByLabel("Pipeline").FillAsync(Pipelines.Trained("grown", 7).Replace("top-k", "topk"));
        await visit.Page.GetByText("1 problem").WaitForAsync();
        await visit.PictureAsync("submit-problem");
        await visit.Page.GetByLabel("Pipeline").FillAsync(Pipelines.Trained("grown", 7));
        await visit.Page.GetByText("ready to run").WaitForAsync();
        await visit.PictureAsync("submit");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).ClickAsync();
        await visit.Page.Locator(".curve").First.WaitForAsync(new() { Timeout = 60_000 });
        await visit.PictureAsync("run-live");
        await visit.Page.Locator("h1 .state.succeeded").WaitForAsync(new() { Timeout = 90_000 });
        await Task.Delay(1000);
        await visit.PictureAsync("run-done");
        await visit.Page.GotoAsync("/runs");
        await visit.Page.Locator("tbody tr").First.WaitForAsync();
        await visit.PictureAsync("runs");
        await visit.Page.GotoAsync("/workers");
        await visit.Page.Locator("tbody tr").First.WaitForAsync();
        await visit.PictureAsync("workers");
        await visit.Page.GotoAsync("/crash-matrix");
        await Task.Delay(500);
        await visit.PictureAsync("crash-matrix");
        visit.ShouldHaveNoErrors();
    }
}
