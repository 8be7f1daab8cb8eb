using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Gates before aliases: who sets them, what they refuse, and people who say yes or no.</summary>
[Collection(PortalCollection.Name)]
public sealed class GateFlowTests(PortalSite site)
{
    [Fact]
    public async Task Gate_SetInThePortal_RefusesUntilRuleAndPeopleAgree()
    {
        var model = await site.ModelAsync();
        var (worse, better) = (await LossAsync(model, 1), await LossAsync(model, 2));
        better.ShouldBeLessThan(worse);
        var rule = string.Create(CultureInfo.InvariantCulture, $"loss < {(worse + better) / 2:0.0000}");
        await using var admin = await site.VisitAsAsync("admin", $"/models/{model}");
        await SetGateAsync(admin, "gated", rule);

        await using var visit = await site.VisitAsAsync("promoter", $"/models/{model}/1");
        var page = visit.Page;
        await MoveAsync(page);
        var refusal = page.GetByRole(AriaRole.Alert);
        await refusal.GetByText(rule).First.WaitForAsync();
        (await refusal.InnerTextAsync()).ShouldContain("0 of 1 approvals");
        await visit.PictureAsync("gate-refuses");

        await page.GotoAsync($"/models/{model}/2");
        await page.GetByLabel("Alias").FillAsync("gated");
        (await page.GetByRole(AriaRole.Button, new() { Name = "Reject" }).IsDisabledAsync()).ShouldBeTrue(); // not without a reason
        await page.GetByLabel("Reason").FillAsync("not looked at");
        await page.GetByRole(AriaRole.Button, new() { Name = "Reject" }).ClickAsync();
        var verdicts = page.GetByRole(AriaRole.List, new() { Name = "Verdicts" });
        await verdicts.GetByText("rejected").WaitForAsync();
        await MoveAsync(page);
        await refusal.GetByText("rejects it: not looked at").First.WaitForAsync();
        (await refusal.InnerTextAsync()).ShouldNotContain(rule); // the rule is met: only people are against it

        await page.GetByLabel("Reason").FillAsync("looked at the curves");
        await page.GetByRole(AriaRole.Button, new() { Name = "Approve" }).ClickAsync();
        await verdicts.GetByText("looked at the curves").WaitForAsync();
        await MoveAsync(page);
        await page.GetByText("gated points here now.").WaitForAsync();
        await visit.PictureAsync("gate-approved");

        // The model's page was open all the while.
        await admin.Page.GetByRole(AriaRole.List, new() { Name = "Aliases", Exact = true }).GetByText("gated → 2").WaitForAsync();
        var decisions = admin.Page.GetByRole(AriaRole.List, new() { Name = "Decisions of gates" });
        await decisions.GetByText("allowed").WaitForAsync();
        (await decisions.GetByText("refused").CountAsync()).ShouldBe(2);
        await admin.PictureAsync("gate-decisions");
        admin.ShouldHaveNoErrors();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Gate_ChangedAndTakenAway_IsWhatTheRegistryHas()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("admin", $"/models/{model}");
        await SetGateAsync(visit, "changed", "loss < 1");
        var page = visit.Page;

        await page.GetByRole(AriaRole.Button, new() { Name = "Change the gate of changed" }).ClickAsync();
        await page.GetByLabel("Rule").FillAsync("loss <");
        await page.GetByRole(AriaRole.Button, new() { Name = "Save the gate" }).ClickAsync();
        (await page.Locator(".rule-mark").InnerTextAsync()).ShouldBe("loss <\n      ^");
        await visit.PictureAsync("gate-wrong-rule");
        await page.GetByLabel("Rule").FillAsync("loss < 2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Save the gate" }).ClickAsync();
        await page.GetByRole(AriaRole.List, new() { Name = "Gates", Exact = true }).GetByText("loss < 2").WaitForAsync();
        (await GatesAsync(model)).GetProperty("changed").GetString().ShouldBe("loss < 2");

        await page.GetByRole(AriaRole.Button, new() { Name = "Change the gate of changed" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove the gate" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        (await GatesAsync(model)).TryGetProperty("changed", out _).ShouldBeFalse();
        visit.ShouldHaveNoErrors();
    }

    /// <summary>Who may move aliases may not set the rules for it.</summary>
    [Fact]
    public async Task Gate_SeenByAPromoter_CannotBeChanged()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("promoter", $"/models/{model}");
        await visit.Page.GetByRole(AriaRole.Heading, new() { Name = "Gates" }).WaitForAsync();

        (await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Add a gate" }).CountAsync()).ShouldBe(0);
        var status = await visit.StatusOfAsync("PUT", $"/api/v1/models/{model}/gates", "{\"items\":[]}");
        status.ShouldBe((int)HttpStatusCode.Forbidden);
    }

    private static async Task SetGateAsync(PortalVisit visit, string alias, string rule)
    {
        var page = visit.Page;
        await page.GetByRole(AriaRole.Button, new() { Name = "Add a gate" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByRole(AriaRole.Textbox, new() { Name = "Alias" }).FillAsync(alias);
        await dialog.GetByLabel("Rule").FillAsync(rule);
        await dialog.GetByLabel("Approvals").FillAsync("1");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Save the gate" }).ClickAsync();
        await page.GetByRole(AriaRole.List, new() { Name = "Gates", Exact = true }).GetByText(rule).WaitForAsync();
    }

    private static async Task MoveAsync(IPage page)
    {
        await page.GetByLabel("Alias").FillAsync("gated");
        await page.GetByText("Behind a gate").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Move the alias here" }).ClickAsync();
    }

    private async Task<double> LossAsync(string model, int version)
    {
        using var client = site.Client("viewer");
        var details = await client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{model}/versions/{version}");
        return details.GetProperty("metrics").GetProperty("loss").GetProperty("value").GetDouble();
    }

    /// <summary>The gates of a model: rules by alias.</summary>
    private async Task<JsonElement> GatesAsync(string model)
    {
        using var client = site.Client("viewer");
        var gates = (await client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{model}/gates")).GetProperty("items").EnumerateArray();
        return JsonSerializer.SerializeToElement(gates.ToDictionary(g => g.GetProperty("alias").GetString()!, g => g.GetProperty("rule").GetString()));
    }
}
