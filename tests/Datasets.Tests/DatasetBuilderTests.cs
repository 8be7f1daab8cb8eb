using Espalier.Contracts;
using Espalier.Datasets;

namespace Espalier.Datasets.Tests;

public sealed class DatasetBuilderTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_SameSourceInTwoStores_GivesOneRoot()
    {
        using var other = new DataWorkspace();

        var first = await _workspace.BuildAsync("corpus:synthetic");
        var second = await other.BuildAsync("corpus:synthetic");

        first.ShouldBe(second);
    }

    [Fact]
    public async Task BuildAsync_SameTextInTwoPlaces_GivesOneRoot()
    {
        var text = string.Join("\n\n", Enumerable.Range(0, 500).Select(i => $"Paragraph number {i}."));

        var first = await _workspace.BuildAsync("file:" + _workspace.Write("a.txt", text));
        var second = await _workspace.BuildAsync("file:" + _workspace.Write("deep/down/b.txt", text));

        first.ShouldBe(second);
    }

    [Fact]
    public async Task BuildAsync_Synthetic_HoldsOutWholeDocumentsOfEveryDomain()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");

        var train = (await dataset.DocumentsAsync(DatasetSplits.Train)).Select(d => d.Text).ToHashSet();
        var rest = (await dataset.DocumentsAsync(DatasetSplits.HeldOut)).Concat(await dataset.DocumentsAsync(DatasetSplits.Validation)).ToList();

        dataset.Domains(DatasetSplits.HeldOut).ShouldBe(["cards", "stories", "sums"]);
        rest.ShouldAllBe(d => !train.Contains(d.Text));
        dataset.TextBytes(DatasetSplits.Train).ShouldBe((await dataset.DocumentsAsync(DatasetSplits.Train)).Sum(d => (long)d.SizeBytes()));
    }

    [Fact]
    public async Task BuildAsync_RepeatedParagraphs_NeverReachBothSides()
    {
        var text = string.Join('\f', Enumerable.Range(0, 2000).Select(i => $"Passage {i % 300} of the song."));

        var dataset = await _workspace.OpenAsync("file:" + _workspace.Write("song.txt", text));

        var documents = await dataset.DocumentsAsync(DatasetSplits.All);
        documents.Count.ShouldBe(300);
        documents.Select(d => d.Text).ShouldBeUnique();
        dataset.Properties.Domains["text"].Duplicates.ShouldBe(1700);
    }

    [Theory]
    [InlineData("Two words")]
    [InlineData("A short note.\nWith two lines.\n")]
    public async Task BuildAsync_VerySmallFile_StillHasHeldOutText(string text)
    {
        var dataset = await _workspace.OpenAsync("file:" + _workspace.Write("note.txt", text));

        dataset.TextBytes(DatasetSplits.Train).ShouldBeGreaterThan(0);
        dataset.TextBytes(DatasetSplits.HeldOut).ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task BuildAsync_Folder_GivesOneDocumentPerFileInPathOrder()
    {
        for (var i = 0; i < 30; i++)
            _workspace.Write($"texts/{(i % 2 == 0 ? "a" : "b")}/{i:D2}.txt", $"This is file {i}.");
        _workspace.Write("texts/.hidden/x.txt", "hidden");
        File.WriteAllBytes(Path.Combine(_workspace.Folder.FullName, "texts", "picture.png"), [0x89, 0x50, 0, 1, 2]);

        var dataset = await _workspace.OpenAsync("dir:" + Path.Combine(_workspace.Folder.FullName, "texts"));

        var documents = await dataset.DocumentsAsync(DatasetSplits.All);
        var expected = Enumerable.Range(0, 30).Select(i => $"{(i % 2 == 0 ? "a" : "b")}/{i:D2}.txt");
        documents.Select(d => d.Id).Order(StringComparer.Ordinal).ShouldBe(expected.Order(StringComparer.Ordinal));
        _workspace.Progress.Lines.ShouldContain(line => line.Contains("picture.png", StringComparison.Ordinal));
    }

    [Fact]
    public async Task BuildAsync_Limit_BoundsEveryDomainAndKeepsSides()
    {
        var whole = await _workspace.OpenAsync("corpus:synthetic");
        var limited = await _workspace.OpenAsync("corpus:synthetic", limit: 50_000);

        limited.TextBytes(DatasetSplits.All, "sums").ShouldBeInRange(45_000, 50_000);
        var held = (await whole.DocumentsAsync(DatasetSplits.HeldOut)).Select(d => d.Id).ToList();
        (await limited.DocumentsAsync(DatasetSplits.HeldOut)).Select(d => d.Id).ShouldBeSubsetOf(held);
    }

    [Fact]
    public async Task BuildAsync_Synthetic_AsksHowHeldOutTextGoesOn()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        var heldOut = (await dataset.DocumentsAsync(DatasetSplits.HeldOut)).Select(d => d.Text).ToList();

        var items = await dataset.ReadMultipleChoiceAsync("continuation", CancellationToken.None);

        items.Count.ShouldBeGreaterThan(100);
        items.ShouldAllBe(i => i.Choices.Count == 4 && i.Choices.Distinct().Count() == 4);
        items.ShouldAllBe(i => heldOut.Any(t => t.Contains(i.Context + i.Choices[i.Answer], StringComparison.Ordinal)));
        items.Select(i => i.Answer).Distinct().Count().ShouldBe(4);
    }

    public static TheoryData<string, string> BadSources => new()
    {
        { "corpus:generel", "did you mean 'general'?" },
        { "korpus:general", "did you mean 'corpus'?" },
        { "corpus:", "names nothing" },
        { "file:/nowhere/at-all.txt", "There is no text file /nowhere/at-all.txt" },
        { "dir:/nowhere/at-all", "There is no folder /nowhere/at-all" },
    };

    [Theory]
    [MemberData(nameof(BadSources))]
    public async Task BuildAsync_BadSource_SaysWhatToWrite(string source, string expected) =>
        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync(source))).Message.ShouldContain(expected);

    [Fact]
    public async Task BuildAsync_EmptyFile_IsRefused() =>
        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("file:" + _workspace.Write("empty.txt", " \n\n"))))
            .Message.ShouldContain("empty or only white space");

    [Fact]
    public async Task BuildAsync_BinaryFile_IsRefused()
    {
        var path = Path.Combine(_workspace.Folder.FullName, "weights.bin");
        File.WriteAllBytes(path, [1, 2, 3, 0, 0xFF, 0xFE]);

        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("file:" + path))).Message.ShouldContain("not UTF-8 text");
    }

    [Fact]
    public async Task BuildAsync_EmptyFolder_IsRefused() =>
        (await Should.ThrowAsync<UserInputException>(() => _workspace.BuildAsync("dir:" + _workspace.Cache.FullName))).Message.ShouldContain("it has no files");

    [Fact]
    public void Fingerprint_ChangedFile_Changes()
    {
        var path = _workspace.Write("a.txt", "one two three");
        var before = DatasetBuilder.Fingerprint("file:" + path, default);

        _workspace.Write("a.txt", "one two four");

        DatasetBuilder.Fingerprint("file:" + path, default).ShouldNotBe(before);
    }

    [Fact]
    public void Fingerprint_RenamedFileInFolder_Changes()
    {
        var source = "dir:" + Path.GetDirectoryName(_workspace.Write("f/a.txt", "one"));
        var before = DatasetBuilder.Fingerprint(source, default);

        File.Move(_workspace.Write("f/a.txt", "one"), Path.Combine(_workspace.Folder.FullName, "f", "b.txt"));

        DatasetBuilder.Fingerprint(source, default).ShouldNotBe(before);
    }
}
