using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Registry.Signing;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>What the store holds: seen, verified, signed, collected.</summary>
[Collection(PortalCollection.Name)]
public sealed class StoreFlowTests(PortalSite site)
{
    [Fact]
    public async Task Garbage_ShownFirst_IsDeletedAndNothingElse()
    {
        var model = await site.ModelAsync();
        var garbage = RandomNumberGenerator.GetBytes(3000);
        var digest = Convert.ToHexStringLower(SHA256.HashData(garbage));
        using var client = site.Client("submitter");
        using (var body = new ByteArrayContent(garbage))
        {
            body.Headers.ContentType = new("application/octet-stream");
            using var put = await client.PutAsync($"/api/v1/blobs/{digest}", body);
            put.EnsureSuccessStatusCode();
        }
        await using var visit = await site.VisitAsAsync("admin", "/storage");
        var page = visit.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = $"{model}@2" }).WaitForAsync();

        await page.GetByLabel("Grace").SelectOptionAsync("none");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show what would be deleted" }).ClickAsync();
        await page.GetByText("Would delete").WaitForAsync();
        (await IsMissingAsync(client, digest)).ShouldBeFalse("a dry run deletes nothing");
        await visit.PictureAsync("storage-dry-run");
        await page.GetByRole(AriaRole.Button, new() { Name = "Clean up", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByText("for good").WaitForAsync();
        await visit.PictureAsync("storage-asks");
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete and mark" }).ClickAsync();
        await page.Locator(".notice.succeeded").GetByText("Deleted").WaitForAsync();
        await visit.PictureAsync("storage-collected");

        (await IsMissingAsync(client, digest)).ShouldBeTrue();
        foreach (var version in new[] { 1, 2 })
        {
            using var verified = await client.PostAsync($"/api/v1/models/{model}/versions/{version}/verify", null);
            (await verified.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("ok").GetBoolean().ShouldBeTrue();
        }
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Garbage_SeenByAPromoter_IsNotOfferedAndRefused()
    {
        await using var visit = await site.VisitAsAsync("promoter", "/storage");
        await visit.Page.GetByRole(AriaRole.Heading, new() { Name = "By version" }).WaitForAsync();

        (await visit.Page.GetByRole(AriaRole.Heading, new() { Name = "Clean up" }).CountAsync()).ShouldBe(0);
        (await visit.StatusOfAsync("POST", "/api/v1/storage/gc", "{}")).ShouldBe((int)HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Verify_SignedVersion_SaysWhoseSignaturesFit()
    {
        var model = await site.ModelAsync();
        var root = await RootAsync(model, 2);
        using var known = SigningKey.Create();
        using var stranger = SigningKey.Create();
        using (var admin = site.Client("admin"))
        {
            using var trusted = await admin.PostAsJsonAsync(
                "/api/v1/signing-keys", new Dictionary<string, string> { ["name"] = "gardener", ["public-key"] = known.PublicPem });
            trusted.EnsureSuccessStatusCode();
            foreach (var key in new[] { known, stranger })
            {
                using var signed = await admin.PutAsJsonAsync(
                    $"/api/v1/models/{model}/versions/2/signatures",
                    new Dictionary<string, string> { ["public-key"] = key.PublicPem, ["signature"] = Convert.ToBase64String(key.Sign(root)) });
                signed.IsSuccessStatusCode.ShouldBeTrue(await signed.Content.ReadAsStringAsync());
            }
        }
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/2?tab=signature");
        var page = visit.Page;
        var signatures = page.GetByRole(AriaRole.List, new() { Name = "Signatures" });
        await signatures.GetByText("gardener", new() { Exact = true }).WaitForAsync();
        await signatures.GetByText("unknown key").WaitForAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Verify" }).ClickAsync();

        await page.GetByText("Both signatures match the root; 1 by a trusted key.").WaitForAsync();
        await page.Locator(".page-head .tag").GetByText("signed", new() { Exact = true }).WaitForAsync();
        await visit.PictureAsync("version-verified");
        visit.ShouldHaveNoErrors();
    }

    [Fact]
    public async Task Verify_DamagedBytes_SaysThatTheVersionIsNotWhatItWas()
    {
        var model = await site.ModelAsync();
        using var client = site.Client("viewer");
        var manifest = await client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{model}/versions/1/manifest");
        var blob = site.BlobOf(manifest.GetProperty("tensors").EnumerateArray().First().GetProperty("blob").GetString()!.Replace("sha256:", ""));
        var bytes = await File.ReadAllBytesAsync(blob);
        await using var visit = await site.VisitAsAsync("viewer", $"/models/{model}/1?tab=signature");
        try
        {
            await OverwriteAsync(blob, [.. bytes[..^1], (byte)~bytes[^1]]);
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Verify" }).ClickAsync();

            await visit.Page.GetByText("This version is not what it was").WaitForAsync();
            await visit.PictureAsync("version-damaged");
        }
        finally
        {
            await OverwriteAsync(blob, bytes);
        }
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Verify" }).ClickAsync();
        await visit.Page.GetByText("Every byte is what the manifest says").WaitForAsync();
        visit.ShouldHaveNoErrors();
    }

    private static async Task OverwriteAsync(string path, byte[] bytes)
    {
        // A damaged blob that was read is kept elsewhere.
        if (File.Exists(path) && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllBytesAsync(path, bytes);
    }

    private async Task<Digest> RootAsync(string model, int version)
    {
        using var client = site.Client("viewer");
        var root = (await client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{model}/versions/{version}")).GetProperty("root").GetString()!;
        return Digest.Parse(root);
    }

    private static async Task<bool> IsMissingAsync(HttpClient client, string digest)
    {
        using var answer = await client.PostAsJsonAsync("/api/v1/blobs/missing", new { digests = new[] { digest } });
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("missing").GetArrayLength() == 1;
    }
}
