using Espalier.Contracts;
using Espalier.Datasets.Building;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Tests;

public sealed class DeduplicationTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Theory]
    [InlineData(Deduplication.None, 150, 0, 0)]
    [InlineData(Deduplication.Exact, 130, 20, 0)]
    [InlineData(Deduplication.Near, 100, 20, 30)]
    public async Task BuildAsync_CopiesAndNearCopies_AreLeftOutAsAskedAndCounted(Deduplication deduplicate, int kept, int exact, int near)
    {
        var texts = Enumerable.Range(0, 100).Select(i => Words(i, 120)).ToList();
        texts.AddRange(Enumerable.Range(0, 20).Select(i => Words(i, 120)));
        texts.AddRange(Enumerable.Range(40, 30).Select(i => Words(i, 120) + " , BUT WITH an end of its own"));
        var source = "file:" + _workspace.Write("a.txt", string.Join('\f', texts));

        var built = await _workspace.BuildAsync(new DatasetRequest { Sources = [new TextSource(source)], Deduplicate = deduplicate });

        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        (await dataset.DocumentsAsync(DatasetSplits.All)).Count.ShouldBe(kept);
        (built.Duplicates, built.NearDuplicates).ShouldBe((exact, near));
        dataset.Properties.Domains["text"].NearDuplicates.ShouldBe(deduplicate == Deduplication.Near ? near : null);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(0.8)]
    [InlineData(0.95)]
    public void Similarity_OfSignatures_EstimatesThatOfShingles(double wanted)
    {
        // Two texts of as many words, of which a part is the same: a share of 2 s / (1 + s) makes a Jaccard similarity of s.
        const int Length = 2000;
        var shared = (int)(Length * 2 * wanted / (1 + wanted));
        var one = Words(1, shared) + " " + Words(2, Length - shared);
        var other = Words(1, shared) + " " + Words(3, Length - shared);

        MinHash.Similarity(MinHash.Of(one, []), MinHash.Of(other, [])).ShouldBe(wanted, 0.11, "three standard deviations of 128 values are 0.13 at one half");
        MinHash.Similarity(MinHash.Of(one, []), MinHash.Of(one.ToUpperInvariant().Replace(" ", ", ", StringComparison.Ordinal), [])).ShouldBe(1);
        MinHash.Similarity(MinHash.Of("!!", []), MinHash.Of("??", [])).ShouldBeLessThan(0.1);
    }

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(64)]
    public void InOrder_WithAndWithoutTheDisk_IsSorted(int recordsInMemory)
    {
        using var order = new HashOrder(_workspace.Folder.FullName, recordsInMemory);
        var records = Enumerable.Range(0, 10_000).Select(i => new HashRecord(StatelessRandom.Mix((ulong)(i % 777)), (ulong)(i % 5), i)).ToList();

        records.ForEach(order.Add);

        order.InOrder().ShouldBe(records.Order());
        order.Groups().Sum(g => g.Count).ShouldBe(10_000);
        order.Groups().ShouldAllBe(g => g.All(i => i % 777 == g[0] % 777 && i % 5 == g[0] % 5));
        Directory.GetFiles(_workspace.Folder.FullName, "*.scratch").ShouldBeEmpty("a killed process leaves no file behind");
    }

    private static string Words(int seed, int count) =>
        string.Join(' ', Enumerable.Range(0, count).Select(i => $"w{StatelessRandom.Mix((ulong)(seed * 1_000_003 + i)) % 50_000}"));
}
