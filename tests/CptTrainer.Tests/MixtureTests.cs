using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Datasets.Packages;

namespace Espalier.CptTrainer.Tests;

/// <summary>Training on datasets of several sources.</summary>
public sealed class MixtureTests : IDisposable
{
    private readonly TrainingBench _bench = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-mixture-");

    public void Dispose()
    {
        _bench.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task RunAsync_SourcesWithWeights_AreDrawnFromByThemAndReported()
    {
        var data = await BuildAsync(Source("large", 300, 0.25), Source("small", 40, 0.75));

        var report = await _bench.ReportAsync(await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options())));

        ((double)report["mixture"]!["large"]!).ShouldBe(0.25);
        ((double)report["mixture"]!["small"]!).ShouldBe(0.75);
        ((double)report["epochs"]!["small"]!).ShouldBeGreaterThan(10 * (double)report["epochs"]!["large"]!);
    }

    [Fact]
    public async Task RunAsync_MixtureOfTheStep_WinsOverTheWeights()
    {
        var data = await BuildAsync(Source("large", 300, 0.25), Source("small", 40, 0.75));

        var report = await _bench.ReportAsync(
            await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"mixture":{"large":1}}"""))));

        report["mixture"]!.AsObject().Select(d => d.Key).ShouldBe(["large"]);
    }

    [Fact]
    public async Task RunAsync_DomainWithAWeightShorterThanOneSequence_IsRefused()
    {
        var data = await BuildAsync(Source("large", 300, 0.9), Source("tiny", 2, 0.1));
        var options = TrainingBench.Options("""{"length":128}""");

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(data, options)));

        error.Message.ShouldStartWith("The training text of 'tiny' has ");
        error.Message.ShouldEndWith("fewer than one sequence of 'length' 128: give more text, a shorter 'length', or leave it out of the mixture.");
    }

    [Fact]
    public async Task RunAsync_AllTextShorterThanOneSequence_IsRefused()
    {
        var data = await _bench.AddDatasetAsync("a few words");

        (await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()))))
            .Message.ShouldBe("The training text of 'words' has 12 tokens, fewer than one sequence of 'length' 16: give more text, or a shorter 'length'.");
    }

    private TextSource Source(string name, int pages, double weight)
    {
        var path = Path.Combine(_folder.FullName, name + ".txt");
        File.WriteAllText(path, string.Join('\f', Enumerable.Range(0, pages).Select(i => $"Page {i} of {name}, some words.")));
        return new TextSource("file:" + path) { Name = name, Weight = weight };
    }

    private async Task<ManifestRef> BuildAsync(params TextSource[] sources)
    {
        var builder = new DatasetBuilder(_bench.Store, new PackageCache(), _folder.CreateSubdirectory("scratch"), (_, _, _, _) => { }, _ => { });
        return (await builder.BuildAsync(new DatasetRequest { Sources = sources }, default)).Reference;
    }
}
