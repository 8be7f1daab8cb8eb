using Espalier.Contracts;
using Espalier.Datasets;

namespace Espalier.Datasets.Tests;

/// <summary>A dataset that was made before as a source of another.</summary>
public sealed class RegisteredTextTests : IDisposable
{
    private const string Reference = "dataset:songs@1";
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_DatasetUnderAnotherName_KeepsWhatWasHeldOut()
    {
        var first = await TextDataset.OpenAsync(_workspace.Artifacts, await _workspace.BuildAsync("file:" + _workspace.Write("a.txt", Songs())), default);

        var second = await BuildAsync(new TextSource(Reference) { Root = first.Reference.Root, Name = "renamed" });

        second.Domains(DatasetSplits.Train).ShouldBe(["renamed"]);
        second.Properties.Source.ShouldBe(Reference);
        foreach (var split in DatasetSplits.Stored)
            (await second.DocumentsAsync(split)).Select(d => d.Text).ShouldBe((await first.DocumentsAsync(split)).Select(d => d.Text), split);
    }

    [Fact]
    public async Task BuildAsync_DatasetBesideOtherText_HasBothWithTheirWeights()
    {
        var root = (await _workspace.BuildAsync("corpus:synthetic")).Root;
        var other = new TextSource("file:" + _workspace.Write("b.txt", Songs())) { Name = "songs", Weight = 0.25 };

        var mixed = await BuildAsync(new TextSource(Reference) { Root = root, Weight = 0.75 }, other);

        mixed.Domains(DatasetSplits.HeldOut).ShouldBe(["cards", "songs", "stories", "sums"]);
        mixed.MultipleChoiceNames.ShouldNotBeEmpty("the questions of the first come along");
        mixed.Properties.Mixture!["songs"].ShouldBe(0.25, 1e-9);
    }

    [Fact]
    public async Task BuildAsync_DatasetThatTheStoreLost_SaysWhichOne()
    {
        var refusal = await Should.ThrowAsync<UserInputException>(() => BuildAsync(new TextSource(Reference) { Root = Digest.Of("gone"u8) }));

        refusal.Message.ShouldContain($"of {Reference} is not in the store");
    }

    private async Task<TextDataset> BuildAsync(params TextSource[] sources) => await TextDataset.OpenAsync(
        _workspace.Artifacts, (await _workspace.BuildAsync(new DatasetRequest { Sources = sources })).Reference, default);

    private static string Songs() => string.Join('\f', Enumerable.Range(0, 400).Select(i => $"Song {i} of the book, of which there are {i * 7}."));
}
