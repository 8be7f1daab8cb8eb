using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Datasets;
using Espalier.Datasets.Packages;
using Espalier.Pipelines.Options;
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
    public async Task RunAsync_SeveralSources_CountsWhatIsLeftOut()
    {
        var text = string.Join('\f', Enumerable.Range(0, 100).Select(i => $"Page {i % 80} of the text, with a few words more than that."));
        var source = Write(text);
        var options = new DatasetOptions
        {
            Sources =
            [
                new DataSource { From = source, Name = "own", Weight = 0.5, Fingerprint = DatasetBuilder.Fingerprint(source, default) },
                new DataSource { From = "corpus:synthetic", Weight = 0.5 },
            ],
            Deduplicate = Deduplication.Near,
        };

        var result = await RunAsync(options);

        result.Metrics["duplicates"].ShouldBeGreaterThanOrEqualTo(20);
        result.Metrics.Keys.Order().ShouldBe(new DatasetStage().Traits.Metrics.Select(m => m.Name).Order());
        (await Should.ThrowAsync<UserInputException>(() => RunAsync(options with { Sources = [options.Sources[0] with { Fingerprint = "other" }] })))
            .Message.ShouldContain("changed after the run was planned");
    }

    [Fact]
    public async Task RunAsync_Keep_LeavesOutTheRestOfTheTrainingText()
    {
        var source = Write(string.Join('\f', Enumerable.Range(0, 200).Select(i => $"Page {i} says {i * 7919 % 1009} and {i * 104729 % 997}.")));
        var all = await RunAsync(new DatasetOptions { Source = source });

        var half = await RunAsync(new DatasetOptions { Source = source, Keep = new KeepOptions { Fraction = 0.5 } });

        half.Metrics["pruned"].ShouldBeInRange(80, 100); // half of about nine tenths of 200
        half.Metrics["train-bytes"].ShouldBe(all.Metrics["train-bytes"] / 2, all.Metrics["train-bytes"] * 0.1);
        half.Metrics["held-out-bytes"].ShouldBe(all.Metrics["held-out-bytes"]);
        all.Metrics["pruned"].ShouldBe(0);
    }

    [Theory]
    [InlineData("{}", "'source' is missing")]
    [InlineData("""{"source":"corpus:tiny","keep":{"prefer":"hard"}}""", "'keep.fraction' is missing")]
    [InlineData("""{"source":"corpus:tiny","keep":{"fraction":0}}""", "'keep.fraction' must be")]
    [InlineData("""{"source":"corpus:tiny","keep":{"fraction":0.5,"method":"perplexity"}}""", "'keep.method' cannot be 'perplexity'")]
    [InlineData("""{"source":"corpus:tiny","sources":[{"from":"corpus:general"}]}""", "exclude each other")]
    [InlineData("""{"sources":[{"from":"corpus:general","weight":0.5},{"from":"corpus:code","weight":0.1}]}""", "the weights sum to 0.6")]
    [InlineData("""{"source":"corpus:tiny","deduplicate":"fuzzy"}""", "'deduplicate' cannot be 'fuzzy'")]
    public void Options_ThatDoNotFit_AreRefused(string options, string expected) =>
        Should.Throw<UserInputException>(() => OptionReader.Parse(OptionSchema.For(typeof(DatasetOptions)), options, "with", typeof(DatasetOptions)))
            .Message.ShouldContain(expected);

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

    private Task<StageResult> RunAsync(string source, string fingerprint) => RunAsync(new DatasetOptions { Source = source, Fingerprint = fingerprint });

    private Task<StageResult> RunAsync(DatasetOptions options) =>
        new StageExecution
        {
            Stage = new DatasetStage(new PackageCache()),
            Step = new StepAddress(Guid.Empty, "data", Digest.Of("x"u8)),
            Options = JsonSerializer.SerializeToElement(options, WireJson.Options),
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
