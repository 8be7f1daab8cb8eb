using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Api;

/// <summary>Uploads: only what is missing moves, and nothing that a client says is believed.</summary>
public sealed class UploadTests : IAsyncLifetime
{
    private const int Largest = 256 << 10;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-upload");
    private RegistryServer _server = null!;
    private HttpClient _http = null!;
    private ArtifactStore _mine = null!;
    private ManifestRef _root = null!;
    private Manifest _manifest = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync(options => options.LargestBlob = Largest);
        _http = _server.Client(RegistryServer.Submitter);
        _mine = new ArtifactStore(new FileBlobStore(_folder.FullName, new FileBlobStoreOptions { IsDurable = false }));
        _root = await TinyCheckpoints.CreateAsync(_mine, new() { Hidden = 64, ExpertSize = 300 });
        _manifest = await _mine.ReadAsync(_root.Root, default);
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Upload_OfAChangedModel_MovesOnlyWhatChanged()
    {
        var first = await UploadAsync("demo", _manifest);
        var changed = await TinyCheckpoints.CreateAsync(_mine, new()
        {
            Hidden = 64,
            ExpertSize = 300,
            Change = (name, _, value) => name.Contains("layers.1.mlp.experts.2.up", StringComparison.Ordinal) ? value + 1 : value,
        });

        var second = await UploadAsync("demo", await _mine.ReadAsync(changed.Root, default));

        first.Sent.ShouldBeGreaterThan(10);
        second.Sent.ShouldBe(1);
        (await _server.Registry.ResolveAsync("demo@2", default)).Root.ShouldBe(changed.Root);
        await _server.Store.VerifyAsync(changed.Root, default);
    }

    [Fact]
    public async Task Upload_Twice_MakesOneVersion()
    {
        await UploadAsync("demo", _manifest);

        var again = await UploadAsync("demo", _manifest);

        again.Sent.ShouldBe(0);
        again.Body.GetProperty("version").GetInt32().ShouldBe(1);
    }

    [Fact]
    public async Task Put_BytesOfAnotherDigest_AreRefused()
    {
        using var content = Octets([1, 2, 3]);

        using var answer = await _http.PutAsync($"/api/v1/blobs/{Digest.Of([9]).Hex}", content);

        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await _server.Store.Blobs.ExistsAsync(Digest.Of([9]), default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Put_MoreThanTheLimit_Is413_WithAndWithoutALength()
    {
        var large = new byte[Largest + 1];
        using var honest = Octets(large);
        using var chunked = new StreamContent(new Unseekable(large));
        chunked.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");

        using var first = await _http.PutAsync($"/api/v1/blobs/{Digest.Of(large).Hex}", honest);
        using var second = await _http.PutAsync($"/api/v1/blobs/{Digest.Of(large).Hex}", chunked);

        (first.StatusCode, second.StatusCode).ShouldBe((HttpStatusCode.RequestEntityTooLarge, HttpStatusCode.RequestEntityTooLarge));
        (await _server.Store.Blobs.ExistsAsync(Digest.Of(large), default)).ShouldBeFalse();
    }

    [Theory]
    [InlineData("missing-blob")]
    [InlineData("path")]
    [InlineData("twice")]
    [InlineData("shape")]
    [InlineData("overlong")]
    [InlineData("parent")]
    [InlineData("kind")]
    public async Task Register_HostileManifest_IsRefusedAndNothingIsPublished(string attack)
    {
        await UploadAsync("good", _manifest);
        var tensor = _manifest.Tensors[0];
        var file = _manifest.Files[0];
        var hostile = attack switch
        {
            "missing-blob" => _manifest with { Files = [file with { Blob = Digest.Of([7]) }] },
            "path" => _manifest with { Files = [file with { Path = "../../etc/cron.d/x" }] },
            "twice" => _manifest with { Tensors = [tensor, tensor] },
            "shape" => _manifest with { Tensors = [tensor with { Shape = [long.MaxValue, 2] }] },
            "overlong" => _manifest with { Tensors = [tensor with { Offset = long.MaxValue - 10 }] },
            "parent" => _manifest with { Parents = [new Parent(Digest.Of([8]), "upcycled", null)] },
            _ => _manifest with { Kind = ArtifactKind.Dataset },
        };

        var (status, _) = await RegisterAsync("bad", hostile);

        status.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await _server.Registry.ListAsync("bad", 10, default)).ShouldBeEmpty();
    }

    private async Task<(int Sent, System.Text.Json.JsonElement Body)> UploadAsync(string name, Manifest manifest)
    {
        var blobs = manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)).Distinct().Select(b => b.Hex).ToList();
        var (_, asked) = await _http.SendJsonAsync(HttpMethod.Post, "/api/v1/blobs/missing", new { digests = blobs });
        var missing = asked.GetProperty("missing").EnumerateArray().Select(m => Digest.Parse(m.GetString()!)).ToList();
        foreach (var blob in missing)
        {
            var bytes = new byte[(await _mine.Blobs.FindLengthAsync(blob, default))!.Value];
            _mine.Blobs.ReadExactly(blob, 0, bytes);
            using var content = Octets(bytes);
            (await _http.PutAsync($"/api/v1/blobs/{blob.Hex}", content)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        var (status, body) = await RegisterAsync(name, manifest);
        status.ShouldBe(HttpStatusCode.OK, body.ToString());
        return (missing.Count, body);
    }

    private async Task<(HttpStatusCode Status, System.Text.Json.JsonElement Body)> RegisterAsync(string name, Manifest manifest) =>
        await _http.SendJsonAsync(
            HttpMethod.Post, $"/api/v1/models/{name}/versions",
            new JsonObject { ["manifest"] = System.Text.Json.JsonSerializer.SerializeToNode(manifest, WireJson.Options) });

    private static ByteArrayContent Octets(byte[] bytes)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        return content;
    }

    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
