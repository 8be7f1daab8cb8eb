using System.Net.Http.Headers;
using System.Net;
using Espalier.Artifacts.Checkpoints;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Api;

/// <summary>Files of a version by HTTP: ranges, tags, conditions; and that weights are never held whole.</summary>
public sealed class FileRoutesTests : IAsyncLifetime
{
    private const string Weights = "/api/v1/models/demo/versions/1/files/model.safetensors";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-files");
    private RegistryServer _server = null!;
    private HttpClient _http = null!;
    private byte[] _expected = [];

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _http = _server.Client(RegistryServer.Viewer);
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store, new() { Hidden = 64, ExpertSize = 300 });
        await _server.RegisterAsync(new Registration
        {
            Model = "demo",
            Checkpoint = checkpoint,
            StepKey = checkpoint.Root,
            Description = "<script>alert(1)</script>",
        });
        var output = Path.Combine(_folder.FullName, "out");
        await HuggingFaceExporter.ExportAsync(_server.Store, checkpoint, output, null, default);
        _expected = await File.ReadAllBytesAsync(Path.Combine(output, "model.safetensors"));
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Get_WholeFile_IsByteForByteTheExport()
    {
        using var answer = await _http.GetAsync(Weights);

        (await answer.Content.ReadAsByteArrayAsync()).ShouldBe(_expected);
        answer.Headers.ETag.ShouldNotBeNull();
        answer.Headers.AcceptRanges.ShouldBe(["bytes"]);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 7)]
    [InlineData(5, 100_000)]
    [InlineData(70_000, 200_001)]
    public async Task Get_Range_IsThatPart(int from, int to)
    {
        using var answer = await GetAsync(new RangeHeaderValue(from, to));

        answer.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        answer.Content.Headers.ContentRange!.ToString().ShouldBe($"bytes {from}-{to}/{_expected.Length}");
        (await answer.Content.ReadAsByteArrayAsync()).ShouldBe(_expected[from..(to + 1)]);
    }

    [Fact]
    public async Task Get_InParallelParts_GivesTheFile()
    {
        var size = _expected.Length / 7 + 1;

        var parts = await Task.WhenAll(Enumerable.Range(0, 7).Select(async i =>
        {
            using var answer = await GetAsync(new RangeHeaderValue(i * size, Math.Min((i + 1) * size, _expected.Length) - 1));
            return await answer.Content.ReadAsByteArrayAsync();
        }));

        parts.SelectMany(p => p).ToArray().ShouldBe(_expected);
    }

    [Fact]
    public async Task Get_LastBytes_AndRangeBeyondTheEnd()
    {
        using var last = await GetAsync(new RangeHeaderValue(null, 10));
        using var beyond = await GetAsync(new RangeHeaderValue(_expected.Length, null));

        (await last.Content.ReadAsByteArrayAsync()).ShouldBe(_expected[^10..]);
        beyond.StatusCode.ShouldBe(HttpStatusCode.RequestedRangeNotSatisfiable);
        beyond.Content.Headers.ContentRange!.Length.ShouldBe(_expected.Length);
    }

    [Fact]
    public async Task Get_IfRange_GoesOnOnlyWithTheSameFile()
    {
        using var head = await _http.SendAsync(new HttpRequestMessage(HttpMethod.Head, Weights));
        using var same = await GetAsync(new RangeHeaderValue(100, null), ifRange: head.Headers.ETag);
        using var other = await GetAsync(new RangeHeaderValue(100, null), ifRange: new EntityTagHeaderValue("\"another\""));

        (head.StatusCode, head.Content.Headers.ContentLength).ShouldBe((HttpStatusCode.OK, _expected.Length));
        same.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        (other.StatusCode, other.Content.Headers.ContentLength).ShouldBe((HttpStatusCode.OK, _expected.Length));
    }

    [Fact]
    public async Task Get_IfNoneMatch_SendsNothingAgain()
    {
        using var first = await _http.GetAsync(Weights);
        using var request = new HttpRequestMessage(HttpMethod.Get, Weights);
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);

        using var again = await _http.SendAsync(request);

        again.StatusCode.ShouldBe(HttpStatusCode.NotModified);
    }

    private async Task<HttpResponseMessage> GetAsync(RangeHeaderValue range, EntityTagHeaderValue? ifRange = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Weights);
        request.Headers.Range = range;
        if (ifRange is not null)
            request.Headers.IfRange = new RangeConditionHeaderValue(ifRange);
        return await _http.SendAsync(request);
    }
}
