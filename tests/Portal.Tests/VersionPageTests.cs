using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>What the page of a version says first, how to load it, and what people write about it.</summary>
[Collection(PortalCollection.Name)]
public sealed class VersionPageTests(PortalSite site)
{
    [Fact]
    public async Task Card_LeadsWithItsOwnNumbersAgainstItsParent()
    {
        var model = await site.ModelAsync();
        using var client = site.Client("viewer");
        var standing = await client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{model}/versions/2/standing");
        var difference = standing.GetProperty("rows")[1].GetProperty("difference").GetProperty("value").GetDouble();
        difference.ShouldBeLessThan(0, "it was trained for longer");
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/2");
        var page = visit.Page;

        var numbers = page.GetByRole(AriaRole.Table, new() { Name = "Numbers" });
        await numbers.WaitForAsync();
        (await page.Locator(".card").First.Locator("h2").InnerTextAsync()).ShouldBe("Numbers");
        (await page.Locator(".sentence").InnerTextAsync())
            .ShouldStartWith(FormattableString.Invariant($"{-difference:0.0000} nats per token better than {model}@1, which it was made from (95 % interval"));
        await numbers.GetByRole(AriaRole.Link, new() { Name = $"{model}@1" }).WaitForAsync();
        // Then how to load it, then where it comes from as a picture, then the rest.
        (await page.Locator(".card > header h2").AllInnerTextsAsync()).Take(4).ShouldBe(["Numbers", "How to load it", "Good to know", "Lineage"]);
        await page.Locator(".node").First.WaitForAsync();
        await visit.PictureAsync("version-card-leads");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Card_SaysHowToLoadIt_WithCommandsForThisRegistry()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/2");
        var page = visit.Page;
        var card = page.Locator(".card").Filter(new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = "How to load it" }) });
        var export = $"espalier export {model}@2 ./{model}-2 --server {site.Address.ToString().TrimEnd('/')}";
        await card.GetByText(export).WaitForAsync();

        foreach (var (tool, expected) in new[]
        {
            ("transformers", $"from_pretrained(\"./{model}-2\", dtype=\"auto\")"), ("vLLM", $"vllm serve ./{model}-2"),
            ("llama.cpp", $"convert_hf_to_gguf.py ./{model}-2"), ("Espalier", $"from: \"model:{model}@2\""),
        })
        {
            await card.GetByRole(AriaRole.Radio, new() { Name = tool }).ClickAsync();
            (await card.InnerTextAsync()).ShouldContain(expected);
        }
        (await card.GetByText(export).CountAsync()).ShouldBe(0, "a pipeline needs no export");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Notes_AreWrittenBySubmittersAndShownToAll()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("submitter", $"/models/{model}/1");
        var page = visit.Page;
        var card = page.Locator(".card").Filter(new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = "Notes", Exact = true }) });

        await card.GetByRole(AriaRole.Button, new() { Name = "Write" }).ClickAsync();
        await card.GetByLabel("Notes, Markdown").FillAsync("Good at **apples**.\n\n<script>window.hurt = true</script>");
        await card.GetByRole(AriaRole.Button, new() { Name = "Preview" }).ClickAsync();
        await card.Locator("strong").GetByText("apples").WaitForAsync();
        await card.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await card.GetByRole(AriaRole.Button, new() { Name = "Edit" }).WaitForAsync();
        (await page.EvaluateAsync<bool>("'hurt' in window")).ShouldBeFalse();
        await visit.PictureAsync("version-notes");

        // It is in the README that a download brings; and who reads only cannot change it.
        using var viewer = site.Client("viewer");
        (await viewer.GetStringAsync($"/api/v1/models/{model}/versions/1/files/README.md")).ShouldContain("Good at **apples**.");
        await using var reader = await site.VisitAsAsync("viewer", $"/models/{model}/1");
        await reader.Page.Locator("strong").GetByText("apples").WaitForAsync();
        (await reader.Page.GetByRole(AriaRole.Button, new() { Name = "Edit" }).CountAsync()).ShouldBe(0);
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Readme_ChangedByTwo_TheSecondIsTold()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("submitter", $"/models/{model}");
        var page = visit.Page;
        var card = page.Locator(".card").Filter(new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = "README", Exact = true }) });
        await card.GetByRole(AriaRole.Button, new() { Name = "Write" }).ClickAsync();
        await card.GetByLabel("README, Markdown").FillAsync("# Orchard\n\nMine.");
        using (var other = site.Client("submitter"))
            (await other.PatchAsJsonAsync($"/api/v1/models/{model}", new { description = "Theirs." })).EnsureSuccessStatusCode();

        await card.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await card.GetByText("Somebody else has changed this text").WaitForAsync();

        await card.GetByRole(AriaRole.Button, new() { Name = "Discard" }).ClickAsync();
        await page.ReloadAsync();
        await card.GetByRole(AriaRole.Button, new() { Name = "Edit" }).ClickAsync();
        (await card.GetByLabel("README, Markdown").InputValueAsync()).ShouldBe("Theirs.");
        await card.GetByLabel("README, Markdown").FillAsync("");
        await card.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await card.GetByRole(AriaRole.Button, new() { Name = "Write" }).WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Files_HaveSizesDigestsAndAHeaderViewer()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/1?tab=files");
        var page = visit.Page;
        using var client = site.Client("viewer");
        var files = (await client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{model}/versions/1")).GetProperty("files").EnumerateArray().ToList();

        await page.GetByRole(AriaRole.Table, new() { Name = "Files" }).WaitForAsync();
        foreach (var file in files.Where(f => f.TryGetProperty("sha256", out _)))
            await page.GetByText(file.GetProperty("sha256").GetString()![..12]).WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Compute the SHA-256 of model.safetensors" }).ClickAsync();
        var weights = await client.GetByteArrayAsync($"/api/v1/models/{model}/versions/1/files/model.safetensors");
        await page.GetByText(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(weights))[..12]).WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Show model.safetensors" }).ClickAsync();
        var tensors = page.GetByRole(AriaRole.Table, new() { Name = "Tensors" });
        await tensors.GetByRole(AriaRole.Cell, new() { Name = "model.embed_tokens.weight" }).WaitForAsync();
        await page.GetByLabel("Filter tensors").FillAsync("layers.1.mlp.gate.weight");
        (await tensors.GetByRole(AriaRole.Row).Nth(1).InnerTextAsync()).ShouldMatch(@"model\.layers\.1\.mlp\.gate\.weight\s+F32\s+4 × 64\s+1\.00 KiB");
        (await tensors.GetByRole(AriaRole.Row).CountAsync()).ShouldBe(2);
        await visit.PictureAsync("version-safetensors");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show config.json" }).ClickAsync();
        await page.Locator(".json").GetByText("num_experts", new() { Exact = true }).WaitForAsync();

        // The command for one file fetches it.
        var command = await page.Locator(".command").Nth(1).Locator("pre").InnerTextAsync();
        var address = command[command.IndexOf("http", StringComparison.Ordinal)..];
        (await client.GetByteArrayAsync(address)).Length.ShouldBe((int)files[0].GetProperty("size").GetInt64());
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Metrics_AreGroupedByWhatTheyAreAbout()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/2?tab=metrics");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Table, new() { Name = "Metrics", Exact = true }).WaitForAsync();

        var groups = await page.Locator("th.group").AllInnerTextsAsync();
        groups[0].ShouldBe("Held-out text");
        groups.ShouldContain("Routing");
        groups.ShouldContain("Size");
        (await page.GetByRole(AriaRole.Table, new() { Name = "Metrics of other models" }).GetByRole(AriaRole.Columnheader).AllInnerTextsAsync())
            .ShouldBe(["Metric", "base"]);
        await page.GetByLabel("Filter metrics").FillAsync("perplex");
        (await page.Locator("th.group").AllInnerTextsAsync()).ShouldBe(["Held-out text"]);
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Signature_CommandsAreComplete()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/1?tab=signature");
        await visit.Page.GetByRole(AriaRole.Heading, new() { Name = "How to sign it" }).WaitForAsync();

        var origin = site.Address.ToString().TrimEnd('/');
        (await visit.Page.Locator(".command pre").AllInnerTextsAsync()).ShouldBe(
        [
            "espalier signing-key create ~/keys/me.pem",
            $"espalier sign {model}@1 --key ~/keys/me.pem",
            $"espalier signing-key trust ~/keys/me.pem.pub --name me\nespalier export {model}@1 ./{model}-1 --server {origin} --signed-by ~/keys/me.pem.pub",
            $"espalier context add portal --orchestrator {origin} --registry {origin} --key $ESPALIER_KEY\nespalier context use portal",
        ]);
        visit.ShouldHaveNoErrors();
    }

    /// <summary>A rule over what nobody measures would refuse every version: it is not saved.</summary>
    [Fact]
    public async Task Gate_OverAMetricThatNothingMeasures_IsNotSaved()
    {
        var model = await site.ModelAsync();
        await using var visit = await site.VisitAsAsync("admin", $"/models/{model}");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Button, new() { Name = "Add a gate" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByRole(AriaRole.Textbox, new() { Name = "Alias" }).FillAsync("mistyped");
        await dialog.GetByLabel("Rule").FillAsync("perplexty < 10");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Save the gate" }).ClickAsync();

        await dialog.GetByText("did you mean 'perplexity'?").WaitForAsync();
        await visit.PictureAsync("gate-unknown-metric");
        using var client = site.Client("viewer");
        (await client.GetStringAsync($"/api/v1/models/{model}/gates")).ShouldNotContain("mistyped");
        visit.ShouldHaveNoErrors();
    }
}
