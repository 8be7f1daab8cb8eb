using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Datasets;
using Espalier.Registry.Storage;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests;

/// <summary>Names and versions of datasets.</summary>
public sealed class DatasetNamesTests : IAsyncLifetime
{
    private RegistryServer _server = null!;

    public async Task InitializeAsync() => _server = await RegistryServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Register_OtherText_IsTheNextVersion_AndTheSameAgainIsNone()
    {
        var (first, second) = (await PublishAsync("a"), await PublishAsync("b"));

        (await RegisterAsync("notes", first)).ShouldBe((1, true));
        (await RegisterAsync("notes", first)).ShouldBe((1, false));
        (await RegisterAsync("notes", second)).ShouldBe((2, true));
        (await RegisterAsync("notes", first)).ShouldBe((1, false), "a step that runs again after another registered its text");

        var listed = await Names.ListAsync("notes", 10, default);
        listed.Select(d => (d.Version, d.Root, d.Source, d.TrainBytes)).ShouldBe([(2, second.Root, "dir", 7), (1, first.Root, "dir", 7)]);
    }

    [Theory]
    [InlineData("dataset:notes", 2)]
    [InlineData("dataset:notes@latest", 2)]
    [InlineData("dataset:notes@1", 1)]
    [InlineData("dataset:notes@v2", 2)]
    public async Task Find_Reference_IsTheArtifactOfThatVersion(string reference, int version)
    {
        ManifestRef[] artifacts = [await PublishAsync("a"), await PublishAsync("b")];
        foreach (var artifact in artifacts)
            await RegisterAsync("notes", artifact);

        (await Names.FindAsync(reference, default)).Model.ShouldBe(artifacts[version - 1]);
    }

    [Theory]
    [InlineData("dataset:notes@7", "dataset:notes@2 dataset:notes@1")]
    [InlineData("dataset:notse", "dataset:notes@2 dataset:notes@1")]
    [InlineData("dataset:notes@best", "dataset:notes@2 dataset:notes@1")]
    [InlineData("dataset:entirely-different", "dataset:notes@2 dataset:notes@1 dataset:poems@1")]
    public async Task Find_WhatThereIsNot_TellsWhatMayHaveBeenMeant(string reference, string nearest)
    {
        await RegisterAsync("notes", await PublishAsync("a"));
        await RegisterAsync("notes", await PublishAsync("b"));
        await RegisterAsync("poems", await PublishAsync("c"));

        var found = await Names.FindAsync(reference, default);

        found.Model.ShouldBeNull();
        string.Join(' ', found.Nearest).ShouldBe(nearest);
    }

    [Fact]
    public async Task Delete_Version_IsForgottenAndItsNumberNotGivenOutAgain()
    {
        await RegisterAsync("notes", await PublishAsync("a"));

        (await SendAsync(HttpMethod.Delete, "notes/versions/1", RegistryServer.Submitter)).ShouldBe(HttpStatusCode.Forbidden);
        (await SendAsync(HttpMethod.Delete, "notes/versions/1", RegistryServer.Promoter)).ShouldBe(HttpStatusCode.NoContent);
        (await SendAsync(HttpMethod.Delete, "notes/versions/1", RegistryServer.Promoter)).ShouldBe(HttpStatusCode.NotFound);

        (await RegisterAsync("notes", await PublishAsync("a"))).ShouldBe((2, true));
    }

    [Fact]
    public async Task Collect_RegisteredDataset_StaysAndGoesOnceItIsForgotten()
    {
        var (kept, left) = (await PublishAsync("a"), await PublishAsync("b"));
        await RegisterAsync("notes", kept);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(((FileBlobStore)_server.Store.Blobs).Root, "blobs"), "*", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(file, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1));
        var atOnce = new CollectionOptions { Grace = TimeSpan.FromMinutes(10), Quarantine = TimeSpan.Zero };

        await _server.Get<GarbageCollector>().CollectAsync(atOnce, default);
        (await ExistsAsync(kept), await ExistsAsync(left)).ShouldBe((true, false));
        await Names.DeleteAsync("notes", 1, default);
        await _server.Get<GarbageCollector>().CollectAsync(atOnce, default);

        (await ExistsAsync(kept)).ShouldBeFalse();
    }

    [Fact]
    public async Task Register_ArtifactThatIsNoDataset_IsRefused()
    {
        var report = await _server.Store.PublishAsync(new Manifest { Kind = ArtifactKind.Report, Files = [] }, default);

        (await Should.ThrowAsync<UserInputException>(() => RegisterAsync("notes", report))).Message.ShouldContain("not a dataset");
    }

    private DatasetNames Names => _server.Get<DatasetNames>();

    private async Task<(int Version, bool IsNew)> RegisterAsync(string name, ManifestRef dataset)
    {
        var (registered, isNew) = await Names.RegisterAsync(_server.Store, name, dataset, Digest.Of("step"u8), Guid.NewGuid(), "", default);
        return (registered.Version, isNew);
    }

    private async Task<ManifestRef> PublishAsync(string text)
    {
        var blob = await _server.Store.Blobs.PutAsync(System.Text.Encoding.UTF8.GetBytes(text), default);
        return await _server.Store.PublishAsync(new Manifest
        {
            Kind = ArtifactKind.Dataset,
            Files = [new FileEntry("train/text.jsonl", blob.Digest, blob.SizeBytes)],
            Properties = (JsonObject)JsonNode.Parse("""{"source":"dir","domains":{"text":{"splits":{"train":{"documents":1,"size-bytes":7}}}}}""")!,
        }, default);
    }

    private async Task<bool> ExistsAsync(ManifestRef artifact) => await _server.Store.Blobs.ExistsAsync(artifact.Root, default);

    private async Task<HttpStatusCode> SendAsync(HttpMethod method, string path, string key)
    {
        using var client = new HttpClient { BaseAddress = _server.Address };
        using var request = new HttpRequestMessage(method, $"/api/v1/datasets/{path}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }
}
