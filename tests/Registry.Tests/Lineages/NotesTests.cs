using Espalier.Artifacts;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Lineages;

/// <summary>What the step that made a version says of it is shown with the version.</summary>
public sealed class NotesTests : IAsyncLifetime
{
    private RegistryServer _server = null!;

    public async Task InitializeAsync() => _server = await RegistryServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("""{"notes":["Other loaders ignore the bias.","Two layers were left out."]}""", "Other loaders ignore the bias.|Two layers were left out.")]
    [InlineData("""{"notes":[]}""", "")]
    [InlineData("""{"notes":"text"}""", "")]
    [InlineData("""{"loss":2}""", "")]
    [InlineData("not JSON", "")]
    public async Task Version_OfAStepWithAReport_HasItsNotes(string report, string expected)
    {
        var step = Digest.Of("step"u8);
        var data = await _server.Store.PublishAsync(new Manifest { Kind = ArtifactKind.Dataset }, default);
        var model = await TinyCheckpoints.CreateAsync(_server.Store, new() { Parents = [new Parent(data.Root, "data", step)] });
        await CommitAsync(step, model, report);
        await _server.RegisterAsync("demo", model);
        using var http = _server.Client(RegistryServer.Viewer);

        var version = await http.GetJsonAsync("/api/v1/models/demo/versions/1");

        string.Join('|', version.GetProperty("notes").EnumerateArray().Select(n => n.GetString())).ShouldBe(expected);
    }

    [Fact]
    public async Task Version_WithoutAStep_HasNoNotes()
    {
        await _server.RegisterAsync("demo", await TinyCheckpoints.CreateAsync(_server.Store));
        using var http = _server.Client(RegistryServer.Viewer);

        var version = await http.GetJsonAsync("/api/v1/models/demo/versions/1");

        version.GetProperty("notes").GetArrayLength().ShouldBe(0);
    }

    private async Task CommitAsync(Digest step, ManifestRef model, string report)
    {
        var blob = await _server.Store.Blobs.PutAsync(System.Text.Encoding.UTF8.GetBytes(report), default);
        var files = new[] { new FileEntry("report.json", blob.Digest, blob.SizeBytes) };
        var root = await _server.Store.PublishAsync(new Manifest { Kind = ArtifactKind.Report, Files = files }, default);
        var outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = model, [OutputNames.Report] = root };
        await _server.Store.CommitStepAsync(step, new StepCommit { Outputs = outputs, Metrics = new Dictionary<string, double>() }, default);
    }
}
