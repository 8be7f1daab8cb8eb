using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>What the page of a run explains: why it failed, what it found, what it was told, what it took.</summary>
[Collection(PortalCollection.Name)]
public sealed class RunPageTests(PortalSite site)
{
    [Fact]
    public async Task Run_ThatFailed_SaysWhyFirstAndWithoutNoise()
    {
        var run = await SubmitAsync(Pipelines.NothingToTrain("nothing"), "does it say why?");
        await UntilEndedAsync(run, "failed");
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;
        await page.Locator("h1 .state.failed").WaitForAsync();

        var reason = page.Locator(".card").First;
        (await reason.Locator("h2").InnerTextAsync()).ShouldBe("Why it failed");
        var text = await reason.InnerTextAsync();
        text.ShouldContain("has nothing to train");
        text.ShouldContain("The input is wrong; it was not tried again.");
        text.ShouldContain("One step that needs it did not run.");
        text.ShouldNotContain("   at ", Case.Sensitive, "a stack trace is noise");
        (await page.GetByLabel("Cause").Locator("span").AllInnerTextsAsync()).ShouldBe(["submitted by portal-submitter", "does it say why?"]);
        await reason.GetByRole(AriaRole.Button, new() { Name = "broken" }).ClickAsync();
        (await page.Locator(".step-panel h2").InnerTextAsync()).ShouldBe("broken");
        await visit.PictureAsync("run-failed");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Run_ThatWasCancelled_SaysByWhom()
    {
        File.Delete(site.Gate);
        var run = await site.SubmitAsync(Pipelines.Waiting("called-off", site.Gate));
        using var client = site.Client("submitter");
        (await client.PostAsync($"/api/v1/runs/{run}/cancel", null)).EnsureSuccessStatusCode();
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");

        await visit.Page.Locator(".notice").GetByText("Cancel requested: by portal-submitter").WaitForAsync();
        await visit.Page.Locator("h1 .state.cancelled").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Results_AreThoseOfTheRun_WithIntervalsAndDifferencesInWords()
    {
        var run = await site.ModelRunAsync();
        using var client = site.Client("viewer");
        var results = await client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}/results");
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;
        var table = page.GetByRole(AriaRole.Table, new() { Name = "Results" });

        var rows = await RowsAsync(table);
        var models = results.GetProperty("models").EnumerateArray().ToList();
        rows.Count.ShouldBe(models.Count + 1, "and what xz makes of the same text");
        foreach (var (row, model) in rows.Zip(models))
        {
            row[0].ShouldStartWith(model.GetProperty("model").GetString()!);
            row[3].ShouldBe(string.Create(
                CultureInfo.InvariantCulture,
                $"{Number(model, "loss"):0.0000} [{Number(model, "loss-low"):0.000}, {Number(model, "loss-high"):0.000}]"));
        }
        // The one trained for longer is better on the same text, and both say so in the same words.
        var difference = results.GetProperty("differences").EnumerateArray()
            .Single(d => d.GetProperty("first").GetString() == "more" && d.GetProperty("second").GetString() == "base");
        Number(difference, "high").ShouldBeLessThan(0);
        rows[1][4].ShouldEndWith("better");
        await page.GetByLabel("Compared with").SelectOptionAsync("more");
        (await RowsAsync(table))[0][4].ShouldEndWith("worse");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Outputs_LeadToReportFilesAndVersion()
    {
        var run = await site.ModelRunAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;
        await page.Locator("#step-first").ClickAsync();
        await page.Locator(".step-panel").GetByRole(AriaRole.Link, new() { Name = "orchard@1" }).ClickAsync();
        await visit.MovesToAsync("/models/orchard/1");
        await page.GoBackAsync();

        await page.Locator("#step-scores").ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "report of scores" }).ClickAsync();
        await visit.MovesToAsync("output=scores.report");
        await page.Locator(".json").GetByText("protocol").ClickAsync();
        await page.Locator(".json").GetByText("resamples").WaitForAsync();
        await visit.PictureAsync("run-report");
        await page.GoBackAsync();

        await page.Locator("#step-more").ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "model of more" }).ClickAsync();
        await page.GetByText("orchard@2").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Show model.safetensors" }).ClickAsync();
        await page.GetByRole(AriaRole.Cell, new() { Name = "model.layers.0.mlp.gate.weight" }).WaitForAsync();
        var download = page.WaitForDownloadAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "config.json", Exact = true }).ClickAsync();
        (await File.ReadAllTextAsync(await (await download).PathAsync())).ShouldContain("num_experts");
        await visit.PictureAsync("run-output");
        visit.ShouldHaveNoErrors();
    }

    /// <summary>A step's files by the API: listed, read in parts, and refused by name where there are none.</summary>
    [Fact]
    public async Task Files_OfAnOutput_AreReadInParts()
    {
        var run = await site.ModelRunAsync();
        using var client = site.Client("viewer");
        var output = $"/api/v1/runs/{run}/steps/base/outputs/model";

        var listed = await client.GetFromJsonAsync<JsonElement>(output);
        listed.GetProperty("artifact").GetProperty("kind").GetString().ShouldBe("checkpoint");
        var weights = listed.GetProperty("files").EnumerateArray().Single(f => f.GetProperty("path").GetString() == "model.safetensors");
        var size = weights.GetProperty("size").GetInt64();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{output}/files/model.safetensors");
        request.Headers.Range = new(0, 7);
        using var part = await client.SendAsync(request);
        part.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        part.Content.Headers.ContentRange!.Length.ShouldBe(size);
        BitConverter.ToInt64(await part.Content.ReadAsByteArrayAsync()).ShouldBeInRange(2, size);

        using var missing = await client.GetAsync($"/api/v1/runs/{run}/steps/base/outputs/modell");
        missing.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await missing.Content.ReadAsStringAsync()).ShouldContain("it made model, report, trainer-state");
        using var outside = await client.GetAsync($"{output}/files/..%2F..%2Fconfig.json");
        outside.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task File_IsShownAsSubmittedAndAsResolved_WithOptionsOfEachStep()
    {
        var yaml = Trained("resolved", 31, "4k");
        var run = await SubmitAsync(yaml, "");
        await site.EndAsync(run);
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;

        await page.GetByRole(AriaRole.Heading, new() { Name = "Parameters", Exact = true }).WaitForAsync();
        (await page.Locator(".parameters-card .facts").InnerTextAsync()).ShouldMatch(@"tokens\s+4k");
        (await page.Locator(".yaml").InnerTextAsync()).ShouldContain("tokens: ${tokens}");
        await page.GetByRole(AriaRole.Radio, new() { Name = "as resolved" }).ClickAsync();
        await page.Locator(".yaml").GetByText("4000").First.WaitForAsync();
        var resolved = await page.Locator(".yaml").InnerTextAsync();
        resolved.ShouldContain("tokens: 4000");
        resolved.ShouldContain("weight-decay:", Case.Sensitive, "defaults are written out");
        resolved.ShouldContain("data: corpus:tiny");

        await page.Locator("#step-base").ClickAsync();
        var panel = page.Locator(".step-panel");
        foreach (var more in await panel.GetByRole(AriaRole.Button, new() { NameRegex = new(@"^\d+ more$") }).AllAsync())
            await more.ClickAsync();
        await panel.GetByText("learning-rate").First.WaitForAsync();
        (await panel.InnerTextAsync()).ShouldMatch(@"balance\s+loss-free");
        (await panel.InnerTextAsync()).ShouldMatch(@"data\s+corpus:tiny", "an input by the name that the file has for it");

        // The resolved file is one that can be submitted, and does the same work: everything comes from the cache.
        var again = await site.SubmitAsync(resolved);
        await site.EndAsync(again);
        using var client = site.Client("viewer");
        var second = await client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{again}");
        second.GetProperty("steps").EnumerateArray().Where(s => s.GetProperty("kind").GetString() != "register")
            .ShouldAllBe(s => s.GetProperty("state").GetString() == "cached");
        await visit.PictureAsync("run-resolved");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Costs_AreShownBesideWhatWasExpected()
    {
        await site.ModelAsync(); // like work, from which the time is estimated
        var run = await site.SubmitAsync(Trained("costed", 41, "16k"));
        await site.EndAsync(run);
        using var client = site.Client("viewer");
        var costs = await client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}/costs");
        var trained = costs.GetProperty("steps").EnumerateArray().Single(s => s.GetProperty("name").GetString() == "base");
        var estimate = trained.GetProperty("estimate");
        Number(estimate, "seconds").ShouldBeGreaterThan(0);
        // The manifest is in one of them: the estimate is of the same bytes as what was written.
        (Number(trained, "new-bytes") / Number(estimate, "new-bytes")).ShouldBeInRange(0.8, 1.25);
        Number(trained, "peak-memory-bytes").ShouldBeGreaterThan(1 << 20);
        Number(costs, "seconds").ShouldBeGreaterThan(Number(trained, "seconds") - 1e-6);

        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var table = visit.Page.GetByRole(AriaRole.Table, new() { Name = "Costs" });
        await table.WaitForAsync();
        (await table.GetByRole(AriaRole.Columnheader).AllInnerTextsAsync())
            .ShouldBe(["Step", "Time", "Expected", "New in the store", "Expected", "Outputs", "Memory", "Expected"]);
        var row = (await RowsAsync(table)).Single(r => r[0] == "base");
        row[1].ShouldMatch(@"\d (s|min)");
        row[2].ShouldMatch(@"\d (s|min)");
        row[4].ShouldMatch(@"\d (KiB|MiB)");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Training_AnyMetricOverAnyAxis_ContinuesTheParentsCurve()
    {
        var run = await site.ModelRunAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;
        await Chart(page, "loss over tokens").WaitForAsync();
        (await page.GetByLabel("Metric").Locator("option").AllInnerTextsAsync())
            .ShouldBe([
                "loss", "balance-loss", "expected-final-loss", "expected-final-loss-high", "expected-final-loss-low", "expected-final-loss.constant",
                "expected-final-loss.cosine", "grad-norm", "learning-rate", "max-violation", "router-z-loss",
            ]);

        await page.GetByLabel("Metric").SelectOptionAsync("grad-norm");
        await Chart(page, "grad-norm over tokens: base ends at").WaitForAsync();
        await page.GetByRole(AriaRole.Radio, new() { Name = "steps" }).ClickAsync();
        await Chart(page, "grad-norm over steps").WaitForAsync();
        (await ReadAtEndAsync(page)).ShouldStartWith("24 steps"); // 4,096 tokens of the base and 8,192 more, 512 a step
        await page.GetByLabel("continue the parent’s curve").UncheckAsync();
        (await ReadAtEndAsync(page)).ShouldStartWith("16 steps");
        await page.GetByRole(AriaRole.Radio, new() { Name = "seconds" }).ClickAsync();
        await Chart(page, "grad-norm over seconds: base ends at .*, more ends at").WaitForAsync();
        await page.GetByText("its time is spread evenly").WaitForAsync();
        await visit.PictureAsync("run-metrics");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Steps_FitTheirWidth_ZoomAndStayWhereTheyAre()
    {
        var run = await site.SubmitAsync(Pipelines.Chain("wide", "", 14));
        await site.EndAsync(run);
        foreach (var width in new[] { 1360, 390 })
        {
            await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}", width: width);
            var page = visit.Page;
            var drawing = page.Locator(".dag svg");
            await drawing.WaitForAsync();
            var (all, frame) = ((await drawing.BoundingBoxAsync())!, (await page.Locator(".dag-frame").BoundingBoxAsync())!);
            all.Width.ShouldBeLessThanOrEqualTo(frame.Width + 1, $"at {width} pixels");

            await page.GetByRole(AriaRole.Button, new() { Name = "Zoom in" }).ClickAsync();
            await page.GetByRole(AriaRole.Button, new() { Name = "Zoom in" }).ClickAsync();
            (await drawing.BoundingBoxAsync())!.Width.ShouldBe(all.Width * 1.5625f, 2);
            await page.GetByRole(AriaRole.Button, new() { Name = "fit" }).ClickAsync();
            (await drawing.BoundingBoxAsync())!.Width.ShouldBe(all.Width, 1);

            var before = await PlaceAsync(page);
            await page.Locator("#step-s9").ClickAsync();
            (await page.Locator(".step-panel h2").InnerTextAsync()).ShouldBe("s9");
            (await PlaceAsync(page)).ShouldBe(before, "choosing a step moves nothing");
            await visit.PictureAsync($"run-wide-{width}");
            visit.ShouldHaveNoErrors();
        }
    }

    [Fact]
    public async Task Run_UnderWay_TellsHowLongItStillTakes()
    {
        await site.ModelAsync();
        var run = await site.SubmitAsync(Trained("under-way", 51, "20M"));
        await using var visit = await site.VisitAsAsync("viewer", $"/runs/{run}");
        var page = visit.Page;

        await Assertions.Expect(page.Locator(".lead")).ToContainTextAsync(new Regex("(about|at least) .* left"), new() { Timeout = PortalVisit.Patience });
        await page.Locator(".step-progress").GetByText(new Regex("about .* left")).WaitForAsync();
        await visit.PictureAsync("run-eta");
        using var client = site.Client("submitter");
        (await client.PostAsync($"/api/v1/runs/{run}/cancel", null)).EnsureSuccessStatusCode();
        await page.Locator("h1 .state.cancelled").WaitForAsync();
        (await page.Locator(".lead").InnerTextAsync()).ShouldNotContain("left");
        visit.ShouldHaveNoErrors();
    }

    /// <summary>What `espalier plan` refuses, the portal does not call ready.</summary>
    [Fact]
    public async Task Submit_FileThatAStageRefuses_IsNotReady()
    {
        await using var visit = await site.VisitAsAsync("submitter", "/submit");
        var page = visit.Page;
        await page.GetByLabel("Pipeline").FillAsync(Pipelines.NothingToTrain("refused"));

        await page.GetByText("1 problem", new() { Exact = true }).WaitForAsync();
        var problems = page.GetByRole(AriaRole.List, new() { Name = "Problems" });
        await problems.GetByText("Step 'broken' has nothing to train").WaitForAsync();
        (await problems.InnerTextAsync()).ShouldStartWith("3:1", Case.Sensitive, "where the step stands");
        (await page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).IsDisabledAsync()).ShouldBeTrue();
        (await page.Locator("#step-broken").GetAttributeAsync("data-state")).ShouldBe("failed");
        await visit.PictureAsync("submit-refused");
        visit.ShouldHaveNoErrors();
    }

    /// <summary>Where the steps stand on the page, and how large they are.</summary>
    private static Task<string> PlaceAsync(IPage page) => page.EvaluateAsync<string>(
        """
        () => {
          const [frame, drawing] = ['.dag-frame', '.dag svg'].map(selector => document.querySelector(selector).getBoundingClientRect());
          return [frame.left + scrollX, frame.top + scrollY, frame.height, drawing.left + scrollX, drawing.top + scrollY, drawing.width].map(Math.round).join();
        }
        """);

    /// <summary>A model that no other test trains, so that what these find like their own work stays what it is.</summary>
    private static string Trained(string name, int seed, string tokens) =>
        Pipelines.Trained(name, seed, tokens).Replace("learning-rate: 3e-3", "learning-rate: 2e-3");

    private static ILocator Chart(IPage page, string name) => page.GetByRole(AriaRole.Img, new() { NameRegex = new($"^{name}") });

    /// <summary>What the chart reads at its right end.</summary>
    private static async Task<string> ReadAtEndAsync(IPage page)
    {
        var chart = Chart(page, "grad-norm");
        await chart.FocusAsync();
        await page.Keyboard.PressAsync("Escape");
        await page.Keyboard.PressAsync("ArrowLeft");
        var reading = await page.Locator(".reading b").InnerTextAsync();
        await page.Keyboard.PressAsync("Escape");
        return reading;
    }

    private static async Task<List<IReadOnlyList<string>>> RowsAsync(ILocator table)
    {
        await table.WaitForAsync();
        var rows = new List<IReadOnlyList<string>>();
        foreach (var row in await table.Locator("tbody tr").AllAsync())
            rows.Add(await row.GetByRole(AriaRole.Cell).AllInnerTextsAsync());
        return rows;
    }

    private async Task<Guid> SubmitAsync(string yaml, string reason)
    {
        using var client = site.Client("submitter");
        using var answer = await client.PostAsync($"/api/v1/runs?reason={Uri.EscapeDataString(reason)}", new StringContent(yaml));
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("run-id").GetGuid();
    }

    private async Task UntilEndedAsync(Guid run, string state)
    {
        using var client = site.Client("viewer");
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(PortalVisit.Patience));
        while ((await client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}", limit.Token)).GetProperty("state").GetString() != state)
            await Task.Delay(100, limit.Token);
    }

    private static double Number(JsonElement value, string name) => value.GetProperty(name).GetDouble();
}
