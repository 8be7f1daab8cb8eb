using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Datasets.Packages;
using Espalier.Stages;

namespace Espalier.CptTrainer.Tests;

public sealed class DatasetStageTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-dataset-");
    private readonly RecordedPhases _progress = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task RunAsync_File_GivesADataset()
    {
        var source = Write(string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Line {i} of the text.")));

        var result = await RunAsync(source, DatasetBuilder.Fingerprint(source, default));

        result.Outputs[OutputNames.Data].Kind.ShouldBe(ArtifactKind.Dataset);
        result.Metrics["train-bytes"].ShouldBeGreaterThan(result.Metrics["held-out-bytes"]);
        _progress.Phases.ShouldContain("storing text");
    }

    [Fact]
    public async Task RunAsync_TextChangedSincePlanning_IsRefused()
    {
        var source = Write("the first text");

        (await Should.ThrowAsync<UserInputException>(() => RunAsync(source, new string('0', 64)))).Message.ShouldContain("changed after the run was planned");
    }

    [Fact]
    public void Traits_Text_DoesNotDependOnTheMachine()
    {
        var traits = new DatasetStage().Traits;

        traits.DependsOnNumerics.ShouldBeFalse();
        traits.Outputs.ShouldBe([OutputNames.Data]);
    }

    private string Write(string text)
    {
        var path = Path.Combine(_folder.FullName, "a.txt");
        File.WriteAllText(path, text);
        return "file:" + path;
    }

    private Task<StageResult> RunAsync(string source, string fingerprint) =>
        new StageExecution
        {
            Stage = new DatasetStage(new PackageCache()),
            Step = new StepAddress(Guid.Empty, "data", Digest.Of("x"u8)),
            Options = JsonSerializer.SerializeToElement(new DatasetOptions { Source = source, Fingerprint = fingerprint }, WireJson.Options),
            Inputs = [],
            Artifacts = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store"))),
            Progress = _progress,
            CacheFolder = Path.Combine(_folder.FullName, "cache"),
        }.RunAsync(CancellationToken.None);

    private sealed class RecordedPhases : IStageProgress
    {
        public List<string> Phases { get; } = [];

        public void Report(string phase, long done, long total, string unit) => Phases.Add(phase);

        public void Metric(string name, double value)
        {
        }

        public void Log(string message)
        {
        }
    }
}
