using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
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
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/1");
        var page = visit.Page;

        await page.Locator(".markdown h2").First.WaitForAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Card" }).FocusAsync();
        await page.Keyboard.PressAsync("ArrowRight");
        (await page.GetByRole(AriaRole.Tab, new() { Name = "Metrics", Selected = true }).CountAsync()).ShouldBe(1);
        var metrics = page.GetByRole(AriaRole.Table, new() { Name = "Metrics", Exact = true });
        await metrics.GetByRole(AriaRole.Cell, new() { Name = "loss", Exact = true }).WaitForAsync();
        await visit.PictureAsync("version-metrics");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Files" }).ClickAsync();
        var download = page.WaitForDownloadAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "config.json", Exact = true }).ClickAsync();
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
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Heading, new() { Name = "Loss against bytes" }).WaitForAsync();
        await visit.PictureAsync("model");

        await page.GetByLabel($"Compare {model}@1").CheckAsync();
        await page.GetByLabel($"Compare {model}@2").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Compare 1 and 2" }).ClickAsync();

        await page.GetByRole(AriaRole.Heading, new() { Name = "Weights" }).WaitForAsync();
        await page.GetByText("shared:").WaitForAsync();
        using var client = site.Client("viewer");
        var asked = await client.GetFromJsonAsync<JsonElement>($"/api/v1/compare?left={model}@1&right={model}@2");
        var loss = asked.GetProperty("metrics").EnumerateArray().Single(m => m.GetProperty("name").GetString() == "loss");
        var name = page.GetByRole(AriaRole.Cell, new() { Name = "loss", Exact = true });
        var cells = await page.GetByRole(AriaRole.Row).Filter(new() { Has = name }).GetByRole(AriaRole.Cell).AllInnerTextsAsync();
        cells[1].ShouldBe(Shown(loss, "left"));
        cells[2].ShouldBe(Shown(loss, "right"));
        cells[3].ShouldBe(Shown(loss, "difference"));
        cells[4].ShouldBe($"{Shown(loss, "low")} to {Shown(loss, "high")}");
        // The experts of the second were trained further: every one of them has moved.
        var experts = page.GetByRole(AriaRole.Img, new() { Name = "Relative change of every expert" });
        await experts.FocusAsync();
        await page.Keyboard.PressAsync("ArrowRight");
        await page.GetByText("layer 0, expert 0: relative change").WaitForAsync();
        await visit.PictureAsync("compare");
        visit.ShouldHaveNoErrors();
    }

    /// <summary>Somebody looks at a model while others work with it.</summary>
    [Fact]
    public async Task Alias_MovedElsewhere_IsSeenAndPutBackAndRemoved()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("promoter", $"/models/{model}");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Heading, new() { Name = "Aliases" }).WaitForAsync();
        var aliases = page.GetByRole(AriaRole.List, new() { Name = "Aliases", Exact = true });

        using var client = site.Client("promoter");
        foreach (var version in new[] { 1, 2 })
        {
            using var moved = await client.PutAsJsonAsync($"/api/v1/models/{model}/aliases/trial", new { version, reason = $"try {version}" });
            moved.EnsureSuccessStatusCode();
            await aliases.GetByText($"trial → {version}").WaitForAsync();
        }
        await page.GetByRole(AriaRole.Button, new() { Name = "Undo the last move of trial" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Reason").FillAsync("it was worse");
        await page.GetByRole(AriaRole.Button, new() { Name = "Undo the move" }).ClickAsync();
        await aliases.GetByText("trial → 1").WaitForAsync();
        await visit.PictureAsync("model-alias-put-back");
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove trial" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove it" }).ClickAsync();
        await aliases.GetByText("trial →").WaitForAsync(new() { State = WaitForSelectorState.Hidden });

        var moves = page.GetByRole(AriaRole.List, new() { Name = "Moves of aliases" });
        await moves.GetByText("trial 1 → removed").WaitForAsync();
        await moves.GetByText("it was worse").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Promote_WithTheRole_MovesTheAliasAndKeepsTheReason()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("promoter", $"/models/{model}/2");
        var page = visit.Page;

        await page.GetByLabel("Alias").FillAsync("stable");
        await page.GetByLabel("Reason").FillAsync("lower loss");
        await page.GetByRole(AriaRole.Button, new() { Name = "Move the alias here" }).ClickAsync();
        await page.GetByText("stable points here now.").WaitForAsync();
        await visit.PictureAsync("version-promoted");

        await page.GotoAsync($"/models/{model}");
        await page.GetByRole(AriaRole.List, new() { Name = "Aliases", Exact = true }).GetByText("stable → 2").WaitForAsync();
        await page.GetByText("lower loss").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Promote_WithoutTheRole_IsNotOfferedAndRefused()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("submitter", $"/models/{model}/1");
        await visit.Page.Locator(".markdown h2").First.WaitForAsync();

        (await visit.Page.GetByRole(AriaRole.Heading, new() { Name = "Promote" }).CountAsync()).ShouldBe(0);
        var status = await visit.StatusOfAsync("PUT", $"/api/v1/models/{model}/aliases/stable", "{\"version\":1,\"reason\":\"\"}");
        status.ShouldBe((int)HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Models_Searched_AreFoundByName()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer", "/models");
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = model }).WaitForAsync();
        await visit.PictureAsync("models");

        await visit.Page.GetByLabel("Search").FillAsync("no-such-model");
        await visit.Page.GetByText("No model has").WaitForAsync();
        await visit.Page.GetByLabel("Search").FillAsync($"model = {model} and version = 2");
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = $"{model}@2" }).WaitForAsync();
        (await visit.Page.GetByRole(AriaRole.Link, new() { Name = $"{model}@1" }).CountAsync()).ShouldBe(0);
        visit.ShouldHaveNoErrors();
    }

    /// <summary>A number as the table shows it.</summary>
    private static string Shown(JsonElement metric, string name)
    {
        var value = metric.GetProperty(name).GetDouble();
        var sign = value > 0 && name is not ("left" or "right") ? "+" : "";
        return sign + (Math.Abs(value) < 1e-3 && value != 0
            ? throw new InvalidOperationException($"{name} is {value}: the two versions are too alike to be compared.")
            : value.ToString(Math.Abs(value) >= 10 ? "0.00" : "0.0000", CultureInfo.InvariantCulture));
    }
}
