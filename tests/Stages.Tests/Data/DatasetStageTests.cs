using System.Text.Json;
using Espalier.Contracts;
using Espalier.Stages.Data;

namespace Espalier.Stages.Tests.Data;

public sealed class DatasetStageTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task RunAsync_File_GivesADataset()
    {
        var source = "file:" + _workspace.Write("a.txt", string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Line {i} of the text.")));

        var result = await RunAsync(source, DatasetBuilder.Fingerprint(source));

        result.Outputs[OutputNames.Data].Kind.ShouldBe(ArtifactKind.Dataset);
        result.Metrics["train-bytes"].ShouldBeGreaterThan(result.Metrics["held-out-bytes"]);
        _workspace.Progress.Phases.ShouldContain("storing text");
    }

    [Fact]
    public async Task RunAsync_TextChangedSincePlanning_IsRefused()
    {
        var source = "file:" + _workspace.Write("a.txt", "the first text");

        (await Should.ThrowAsync<UserInputException>(() => RunAsync(source, new string('0', 64)))).Message.ShouldContain("changed after the run was planned");
    }

    private Task<StageResult> RunAsync(string source, string fingerprint) =>
        new DatasetStage(DataWorkspace.Packages).RunAsync(
            new StageContext
            {
                Step = new StepAddress(Guid.Empty, "data", Digest.Of("x"u8)),
                Options = JsonSerializer.SerializeToElement(new DatasetOptions { Source = source, Fingerprint = fingerprint }, WireJson.Options),
                Inputs = [],
                Artifacts = _workspace.Artifacts,
                Cursor = new NoCursor(),
                Progress = _workspace.Progress,
                Cache = _workspace.Cache,
            },
            CancellationToken.None);

    private sealed class NoCursor : IStageCursor
    {
        public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => Task.FromResult<byte[]?>(null);

        public Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
