using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Pipelines that were added and what starts them, as somebody sees and steers them in the browser.</summary>
[Collection(PortalCollection.Name)]
public sealed class TriggerFlowTests(PortalSite site)
{
    [Fact]
    public async Task Pipeline_AddedInTheEditor_IsStartedByAnEventUntilItIsSwitchedOff()
    {
        await using var visit = await site.VisitAsAsync("submitter", "/submit");
        var page = visit.Page;
        await page.GetByLabel("Pipeline").FillAsync(Pipelines.Echo("echo", "spark"));
        await page.GetByText("ready to run").WaitForAsync();
        await page.GetByText("acts once this is added").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Add as pipeline" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByText("act from now on, in your name").WaitForAsync();
        await visit.PictureAsync("pipeline-add-asks");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add it" }).ClickAsync();
        await visit.MovesToAsync("/pipelines/echo$");
        await page.GetByRole(AriaRole.Switch, new() { Name = "echo.run.succeeded" }).WaitForAsync();
        await site.AddAsync("submitter", "answer", Pipelines.Echo("answer", "echo"));

        await site.EndAsync(await site.SubmitAsync(Pipelines.Quick("spark")));
        await page.GetByRole(AriaRole.Link, new() { Name = "Triggers" }).ClickAsync();
        var row = page.GetByRole(AriaRole.Table, new() { Name = "Recent events" }).GetByRole(AriaRole.Row)
            .Filter(new() { HasText = "pipeline spark" }).Filter(new() { HasText = "started" }).First;
        await row.GetByRole(AriaRole.Link, new() { NameRegex = Run() }).WaitForAsync();
        (await row.TextContentAsync())!.ShouldContain("answer.run.succeeded", customMessage: "every trigger of the kind says why it started nothing");
        await visit.PictureAsync("triggers-started");
        await row.GetByRole(AriaRole.Link, new() { NameRegex = Run() }).ClickAsync();
        await page.Locator("h1 .state.succeeded").WaitForAsync();
        var cause = await page.Locator(".cause").InnerTextAsync();
        cause.ShouldMatch(@"Version 1 of echo\s+started by echo.run.succeeded for event #\d+ \(run.succeeded\) in the name of portal-submitter");

        await page.GetByRole(AriaRole.Link, new() { Name = "echo.run.succeeded" }).ClickAsync();
        await page.GetByRole(AriaRole.Switch).ClickAsync();
        await page.GetByRole(AriaRole.Switch, new() { Checked = false }).WaitForAsync();
        await site.EndAsync(await site.SubmitAsync(Pipelines.Quick("spark")));
        await page.GetByText("The trigger is off: espalier trigger enable echo.run.succeeded.").First.WaitForAsync();
        await visit.PictureAsync("trigger-off");

        await page.GetByRole(AriaRole.Button, new() { Name = "Replay", Exact = true }).ClickAsync();
        await page.GetByText("2 runs would have started").WaitForAsync();
        var replayed = await page.GetByRole(AriaRole.Table, new() { Name = "Dry run" }).InnerTextAsync();
        replayed.ShouldMatch(@"would start\s+text spark\s+refused\s+The trigger is off");
        replayed.ShouldMatch(@"would start\s+text spark\s+started\s+→ echo#\d+");
        await visit.PictureAsync("trigger-dry-run");
        await page.SetViewportSizeAsync(390, 800);
        await visit.PictureAsync("narrow-trigger-dry-run");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Run_StartedByARunThatATriggerStarted_ShowsTheChain()
    {
        await site.AddAsync("submitter", "second", Pipelines.Echo("second", "first"));
        await site.AddAsync("submitter", "third", Pipelines.Echo("third", "second"));
        await site.EndAsync(await site.SubmitAsync(Pipelines.Quick("first")));
        await using var visit = await site.VisitAsAsync("viewer", "/pipelines/third");
        var page = visit.Page;

        await page.GetByRole(AriaRole.Table, new() { Name = "Recent runs" }).GetByRole(AriaRole.Link, new() { NameRegex = Third() }).First.ClickAsync();

        await page.Locator(".cause").WaitForAsync();
        (await page.Locator(".cause").InnerTextAsync()).ShouldMatch(@"2 triggers deep: second.run.succeeded → third.run.succeeded");
        await visit.PictureAsync("run-cause");
        await page.Locator(".cause").GetByRole(AriaRole.Link, new() { NameRegex = Event() }).ClickAsync();
        await page.Locator("tr.meant").GetByText("started").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Pipeline_OnItsPage_IsRunWithParametersReplacedAndRemoved()
    {
        await site.AddAsync("submitter", "kept", Pipelines.Echo("kept", "nothing"));
        await using var visit = await site.VisitAsAsync("submitter", "/pipelines");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = "kept", Exact = true }).ClickAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Run", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("text").FillAsync("by hand");
        await visit.PictureAsync("pipeline-run-asks");
        await page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).ClickAsync();
        await visit.MovesToAsync("/runs/");
        await page.Locator("h1 .state.succeeded").WaitForAsync();
        (await page.Locator(".cause").InnerTextAsync()).ShouldMatch(@"Version 1 of kept\s+started by portal-submitter");

        await page.Locator(".cause").GetByRole(AriaRole.Link, new() { Name = "kept" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Edit" }).ClickAsync();
        await page.GetByText("ready to run").WaitForAsync();
        await page.GetByLabel("Pipeline").FillAsync(Pipelines.Echo("kept", "nothing-else"));
        await page.GetByRole(AriaRole.Button, new() { Name = "Add as pipeline" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByText("This text replaces version 1 by portal-submitter").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Replace it" }).ClickAsync();
        await visit.MovesToAsync("/pipelines/kept$");
        await page.Locator("pre.yaml").GetByText("pipeline: nothing-else").WaitForAsync();
        await page.GetByRole(AriaRole.List, new() { Name = "Versions" }).GetByRole(AriaRole.Button, new() { Name = "Show", Exact = true }).ClickAsync();
        await page.GetByText("not the current version").WaitForAsync();
        await page.Locator("pre.yaml").GetByText("pipeline: nothing,").WaitForAsync();
        await visit.PictureAsync("pipeline-older");

        await page.GetByRole(AriaRole.Button, new() { Name = "Remove" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByText("trigger stops working").WaitForAsync();
        await visit.PictureAsync("pipeline-remove-asks");
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove pipeline" }).ClickAsync();
        await visit.MovesToAsync("/pipelines$");
        await page.GetByRole(AriaRole.Heading, new() { Name = "Pipelines" }).WaitForAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "kept", Exact = true }).WaitForAsync(new() { State = WaitForSelectorState.Detached });
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Pipeline_ThatWouldStartItself_IsRefusedWithTheReason()
    {
        await using var visit = await site.VisitAsAsync("submitter", "/submit");
        var page = visit.Page;
        await page.GetByLabel("Pipeline").FillAsync(Pipelines.Echo("circle", "circle").Replace(" when: event.version < 9,", ""));
        await page.GetByRole(AriaRole.Button, new() { Name = "Add as pipeline" }).ClickAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Add it" }).ClickAsync();

        await page.GetByRole(AriaRole.Alert).GetByText("would start itself without end").WaitForAsync();
        await visit.PictureAsync("pipeline-refused");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Pipeline_ThatNamesWhatNobodyHasSet_IsAddedAndSaysSo()
    {
        await using var visit = await site.VisitAsAsync("submitter", "/submit");
        var page = visit.Page;
        await page.GetByLabel("Pipeline").FillAsync(Pipelines.Nursery("unset", "nothing") + "\nnotify: { failed: a-stranger }\n");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add as pipeline" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Add it" }).ClickAsync();

        var dialog = page.GetByRole(AriaRole.Dialog, new() { Name = "unset is version 1" });
        await dialog.GetByText("the secret 'nursery' is not set").WaitForAsync();
        await dialog.GetByText("There is no recipient 'a-stranger'").WaitForAsync();
        await visit.PictureAsync("pipeline-added-with-warnings");
        await page.GetByRole(AriaRole.Button, new() { Name = "Open the pipeline" }).ClickAsync();
        await page.GetByRole(AriaRole.Switch, new() { Name = "unset.webhook" }).WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Trigger_WhoseRunsFail_IsPausedWithTheReasonUntilItIsSwitchedOn()
    {
        var yaml = Pipelines.Echo("broken", "cause").Replace("units: 1", "units: 1, from: \"model:no-such-model@1\"").Replace("when:", "pause-after: 1, when:");
        await site.AddAsync("submitter", "broken", yaml);
        await site.EndAsync(await site.SubmitAsync(Pipelines.Quick("cause")));
        await using var visit = await site.VisitAsAsync("submitter", "/triggers/broken.run.succeeded", isDark: true);
        var page = visit.Page;

        await page.Locator(".notice").GetByText("Paused after 1 failures in a row").WaitForAsync();
        await page.GetByText("no-such-model").First.WaitForAsync();
        await visit.PictureAsync("trigger-paused");
        await page.GetByRole(AriaRole.Switch, new() { Checked = false }).ClickAsync();

        await page.GetByRole(AriaRole.Switch, new() { Checked = true }).WaitForAsync();
        (await page.Locator(".notice").CountAsync()).ShouldBe(0);
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Triggers_OfOneEvent_WhosePlaceIsGone_SaySoUntilItIsBack()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"watched-{Guid.NewGuid():n}");
        await site.AddAsync("submitter", "watching", Pipelines.Watching("watching", folder));
        await using var visit = await site.VisitAsAsync("submitter", "/triggers");
        var page = visit.Page;

        foreach (var name in new[] { "watching.watch", "watching.watch.texts" })
        {
            var row = page.GetByRole(AriaRole.Table, new() { Name = "Triggers" }).GetByRole(AriaRole.Row)
                .Filter(new() { Has = page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }) });
            await row.GetByText($"The folder {folder} cannot be read: it does not exist.").WaitForAsync();
            await row.Locator(".state.failed").GetByText("error").WaitForAsync();
        }
        await visit.PictureAsync("triggers-error");
        await page.GetByRole(AriaRole.Link, new() { Name = "watching.watch.texts", Exact = true }).ClickAsync();
        await page.Locator(".notice").GetByText("cannot be read: it does not exist").WaitForAsync();
        await visit.PictureAsync("trigger-error");
        Directory.CreateDirectory(folder);
        try
        {
            await page.Locator(".notice").WaitForAsync(new() { State = WaitForSelectorState.Detached });
            await page.Locator(".page-head .state").GetByText("on", new() { Exact = true }).WaitForAsync();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Trigger_OfAnother_IsSwitchedByAnAdministratorOnly()
    {
        await site.AddAsync("submitter", "owned", Pipelines.Echo("owned", "nobody"));
        await using var viewer = await site.VisitAsAsync("viewer", "/triggers/owned.run.succeeded");
        await using var promoter = await site.VisitAsAsync("promoter", "/triggers/owned.run.succeeded");
        await using var admin = await site.VisitAsAsync("admin", "/triggers/owned.run.succeeded");

        await viewer.Page.Locator(".page-head .state").GetByText("on", new() { Exact = true }).WaitForAsync();
        (await viewer.Page.GetByRole(AriaRole.Switch).CountAsync()).ShouldBe(0);
        (await viewer.StatusOfAsync("POST", "/api/v1/triggers/owned.run.succeeded/disable")).ShouldBe(403);

        await promoter.Page.GetByRole(AriaRole.Switch).ClickAsync();
        await promoter.Page.GetByRole(AriaRole.Alert).GetByText("only its owner or an administrator").WaitForAsync();

        await admin.Page.GetByRole(AriaRole.Switch).ClickAsync();
        await viewer.Page.Locator(".page-head .state").GetByText("off", new() { Exact = true }).WaitForAsync();
        foreach (var visit in new[] { viewer, promoter, admin })
            visit.ShouldHaveNoErrors();
    }

    private static Regex Run() => new("^echo#\\d+$");

    private static Regex Third() => new("^third#\\d+$");

    private static Regex Event() => new("^#");
}
