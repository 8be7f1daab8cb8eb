using System.Net.Http.Json;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Many tabs of one browser: a browser has six connections to a server, and its tabs share one stream of events.</summary>
[Collection(PortalCollection.Name)]
public sealed class TabsTests(PortalSite site)
{
    [Fact]
    public async Task TenTabs_OfOneBrowser_AreAllLiveOverOneStream()
    {
        File.Delete(site.Gate);
        var model = await site.ModelAsync();
        var (one, other) = (await site.SubmitAsync(Pipelines.Waiting("tabs", site.Gate)), await site.SubmitAsync(Pipelines.Waiting("tabs-too", site.Gate)));
        await UntilAsync(async () => await site.StreamsAsync() == 0); // nobody of the tests before
        await using var visit = await site.VisitAsAsync("admin", "/runs");
        var tabs = new List<IPage> { visit.Page };
        foreach (var path in new[]
        {
            "/runs?state=running", $"/runs/{one}", $"/runs/{one}", $"/runs/{other}", "/workers", "/triggers", "/models", $"/models/{model}",
            $"/models/{model}/1",
        })
            tabs.Add(await visit.NewTabAsync(path));
        foreach (var tab in tabs.Take(7))
            await tab.Locator(".live.live").WaitForAsync();
        foreach (var tab in tabs.Skip(2).Take(2))
            await tab.Locator("#step-half[data-state=running]").WaitForAsync();
        await tabs[4].Locator("#step-half[data-state=ready]").WaitForAsync(); // the worker has one slot
        foreach (var tab in tabs.Skip(7))
            await tab.GetByText(model).First.WaitForAsync();
        tabs.Count.ShouldBe(10);
        await UntilAsync(async () => await site.StreamsAsync() == 1);

        var events = tabs[6].GetByRole(AriaRole.Table, new() { Name = "Recent events" });
        await File.WriteAllTextAsync(site.Gate, "open");
        using (var client = site.Client("admin"))
            (await client.PutAsJsonAsync($"/api/v1/models/{model}/aliases/tabs", new { version = 1, reason = "seen" })).IsSuccessStatusCode.ShouldBeTrue();

        foreach (var run in new[] { one, other })
            await tabs[0].Locator($"tr:has(a[href='/runs/{run}']) .state.succeeded").WaitForAsync();
        await tabs[1].Locator($"a[href='/runs/{one}']").WaitForAsync(new() { State = WaitForSelectorState.Detached });
        foreach (var tab in tabs.Skip(2).Take(3))
            await tab.Locator("h1 .state.succeeded").WaitForAsync();
        await tabs[5].Locator($"a[href='/runs/{one}']").WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await events.GetByText("tabs-too").First.WaitForAsync();
        await tabs[7].GetByText("tabs → 1").WaitForAsync();
        await tabs[8].GetByText("tabs → 1").First.WaitForAsync();
        await tabs[9].GetByText("tabs", new() { Exact = true }).First.WaitForAsync();
        (await site.StreamsAsync()).ShouldBe(1);
        visit.ShouldHaveNoErrors();
    }

    /// <summary>The worker lives as long as any tab: what a closed one followed must not be read for ever.</summary>
    [Fact]
    public async Task LastTab_Closed_EndsTheStream()
    {
        var visit = await site.VisitAsAsync("viewer", "/runs");
        var second = await visit.NewTabAsync("/runs");
        await second.Locator(".live.live").WaitForAsync();
        await UntilAsync(async () => await site.StreamsAsync() == 1);

        await visit.Page.CloseAsync();
        await second.CloseAsync();

        await UntilAsync(async () => await site.StreamsAsync() == 0);
        await visit.DisposeAsync();
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(PortalVisit.Patience));
        while (!await isSo())
            await Task.Delay(100, limit.Token);
    }
}
