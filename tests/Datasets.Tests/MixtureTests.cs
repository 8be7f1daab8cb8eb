using Espalier.Contracts;

namespace Espalier.Datasets.Tests;

/// <summary>Datasets of several sources.</summary>
public sealed class MixtureTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_SourcesWithWeights_AreDomainsWhoseSharesFollowThem()
    {
        var notes = "file:" + _workspace.Write("notes.txt", Paragraphs("note", 200));

        var built = await BuildAsync(
            new TextSource(notes) { Name = "notes", Weight = 0.25 }, new TextSource("corpus:synthetic") { Weight = 0.75 });

        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        dataset.Properties.Source.ShouldBe("file + corpus:synthetic");
        dataset.Domains(DatasetSplits.Train).ShouldBe(["cards", "notes", "stories", "sums"]);
        var mixture = dataset.Properties.Mixture.ShouldNotBeNull();
        mixture["notes"].ShouldBe(0.25);
        mixture.Values.Sum().ShouldBe(1, 1e-12);
        (mixture["cards"] / mixture["sums"]).ShouldBe(
            (double)dataset.TextBytes(DatasetSplits.Train, "cards") / dataset.TextBytes(DatasetSplits.Train, "sums"), 1e-9);
    }

    [Fact]
    public async Task BuildAsync_NamedCorpus_PutsItsNameBeforeItsDomainsAndQuestions()
    {
        var built = await BuildAsync(new TextSource("corpus:synthetic") { Name = "old" });

        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        dataset.Domains(DatasetSplits.Train).ShouldBe(["old-cards", "old-stories", "old-sums"]);
        dataset.Properties.Mixture.ShouldBeNull();
    }

    [Fact]
    public async Task BuildAsync_TextInTwoSources_StaysInTheFirstAlone()
    {
        var text = Paragraphs("same", 100);
        var first = "file:" + _workspace.Write("a.txt", text);
        var second = "file:" + _workspace.Write("b.txt", text + "\f" + string.Join('\f', Enumerable.Range(0, 60).Select(i => $"Only here, {i}.")));

        var built = await BuildAsync(
            new TextSource(first) { Name = "a" }, new TextSource(second) { Name = "b" },
            new TextSource("jsonl:" + _workspace.Write("c.jsonl", string.Concat(
                Enumerable.Range(0, 40).Select(i => $"{{\"text\":\"Only here, {i}.\"}}\n{{\"text\":\"And here, {i}.\"}}\n")))) { Name = "c" });

        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        built.Duplicates.ShouldBe(40);
        dataset.Properties.Domains["c"].Duplicates.ShouldBe(40);
        (await dataset.DocumentsAsync(DatasetSplits.All)).Select(d => d.Text).ShouldBeUnique();
    }

    [Fact]
    public async Task BuildAsync_TwoSourcesOfOneName_AreRefused() =>
        (await Should.ThrowAsync<UserInputException>(() => BuildAsync(new TextSource("corpus:synthetic"), new TextSource("corpus:synthetic"))))
            .Message.ShouldContain("another 'name'");

    [Fact]
    public void Examine_Source_NamesItsDomainsOrWhatIsWrong()
    {
        var lines = "jsonl:" + _workspace.Write("a.jsonl", "{\"body\":\"text\"}\n");

        DatasetBuilder.Examine(new TextSource("corpus:general"), default).ShouldBe(["speech", "fiction", "lexicon"]);
        DatasetBuilder.Examine(new TextSource("corpus:general") { Name = "old" }, default).ShouldBe(["old-speech", "old-fiction", "old-lexicon"]);
        DatasetBuilder.Examine(new TextSource(lines) { Field = "body", Name = "notes" }, default).ShouldBe(["notes"]);
        Should.Throw<UserInputException>(() => DatasetBuilder.Examine(new TextSource(lines), default))
            .Message.ShouldEndWith("a.jsonl, line 1: it has no field 'text'; it has 'body'.");
        Should.Throw<UserInputException>(() => DatasetBuilder.Examine(new TextSource("jsonl:" + _workspace.Write("empty.jsonl", "\n \n")), default))
            .Message.ShouldContain("holds no text");
    }

    private Task<DatasetBuild> BuildAsync(params TextSource[] sources) => _workspace.BuildAsync(new DatasetRequest { Sources = sources });

    private static string Paragraphs(string word, int count) => string.Join("\n\n", Enumerable.Range(0, count).Select(i => $"Paragraph {i} of the {word}."));
}
