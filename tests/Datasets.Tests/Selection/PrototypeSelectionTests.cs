using Espalier.Contracts;
using Espalier.Datasets.Sampling;
using Espalier.Datasets.Selection;

namespace Espalier.Datasets.Tests.Selection;

/// <summary>Keeping documents by their distance to prototypes.</summary>
public sealed class PrototypeSelectionTests : IDisposable
{
    private static readonly string[] Topics = ["river boat water fish net", "engine wheel oil gear road", "bread oven flour salt yeast"];

    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void Of_TwoClusters_TakesFromBothListsInTurn()
    {
        // Cluster 0 has the four hardest, cluster 1 the two easiest: by difficulty 0 1 2 3 4 5, by share 0 (1/4), 1 and 4 (1/2), 2 (3/4), 3 and 5 (1).
        int[] clusters = [0, 0, 0, 0, 1, 1];
        float[] distances = [0.9f, 0.8f, 0.7f, 0.6f, 0.2f, 0.1f];

        PrototypeOrder.Of(clusters, distances, KeepPreference.Hard).ShouldBe([0, 1, 4, 2, 3, 5]);
        PrototypeOrder.Of(clusters, distances, KeepPreference.Easy).ShouldBe([3, 5, 2, 4, 1, 0]); // by share 3, 5 and 2, 1, 4 and 0
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Of_AnyBeginning_HasHalfOfEveryClustersShare(int seed)
    {
        const int Documents = 500;
        int[] clusters = [.. Enumerable.Range(0, Documents).Select(i => (int)Math.Sqrt(StatelessRandom.Below(StatelessRandom.Key(seed, "c", i), 100)))];
        float[] distances = [.. Enumerable.Range(0, Documents).Select(i => clusters[i] + StatelessRandom.Below(StatelessRandom.Key(seed, "d", i), 100) / 100f)];
        var sizes = clusters.CountBy(c => c).ToDictionary();

        var order = PrototypeOrder.Of(clusters, distances, KeepPreference.Hard);

        order.Order().ShouldBe(Enumerable.Range(0, Documents));
        var kept = new Dictionary<int, int>();
        for (var t = 1; t <= Documents; t++)
        {
            kept[clusters[order[t - 1]]] = kept.GetValueOrDefault(clusters[order[t - 1]]) + 1;
            foreach (var (cluster, size) in sizes)
                kept.GetValueOrDefault(cluster).ShouldBeGreaterThanOrEqualTo(t * size / (2 * Documents));
        }
        // The other half goes by difficulty: the farthest cluster fills up long before the others.
        order.Take(Documents / 4).Count(i => clusters[i] == 9).ShouldBeGreaterThan(sizes[9] / 2);
    }

    [Fact]
    public void Find_ThreeTopics_GivesEachItsPrototype()
    {
        var vectors = Enumerable.Range(0, 90).Select(i => Unit(Text(i % 3, i))).ToList();

        var prototypes = Prototypes.Find(vectors, 3, seed: 5, default);

        var found = vectors.Select(vector => prototypes.Nearest(vector).Cluster).ToList();
        Enumerable.Range(0, 90).GroupBy(i => i % 3).Select(topic => topic.Select(i => found[i]).Distinct().Single()).ShouldBeUnique();
        prototypes.Nearest(vectors[0]).Distance.ShouldBeInRange(0, 0.9f);
    }

    [Fact]
    public void Find_EqualTexts_GivesOnePrototypeAndDistanceZero()
    {
        var vectors = Enumerable.Range(0, 5).Select(_ => Unit("the same words")).ToList();

        var prototypes = Prototypes.Find(vectors, 3, seed: 1, default);

        prototypes.Count.ShouldBe(1);
        prototypes.Nearest(vectors[0]).Distance.ShouldBe(0, 1e-6f);
    }

    /// <summary>Counted by hand: one word and its pairs, by the root of how often each place was hit.</summary>
    [Fact]
    public void Of_RepeatedWord_CountsByTheRoot()
    {
        var once = TextFeatures.Of("word", []);
        var often = TextFeatures.Of("word word word word", []);

        var place = Array.FindIndex(once, value => value != 0);
        once.Count(value => value != 0).ShouldBe(1);
        once[place].ShouldBeOneOf(1f, -1f);
        often[place].ShouldBe(2 * once[place]);
        often.Sum(value => value * value).ShouldBe(4 + 3, 1e-5f); // four words, three equal pairs
    }

    [Fact]
    public async Task BuildAsync_SmallerFractions_AreParts_AndOtherSplitsStay()
    {
        var source = Source();
        var all = await BuildAsync(source, null);

        var (half, fifth, again) = (await BuildAsync(source, new(0.5)), await BuildAsync(source, new(0.2)), await BuildAsync(source, new(0.5)));
        var easy = await BuildAsync(source, new(0.5) { Prefer = KeepPreference.Easy });

        again.Reference.ShouldBe(half.Reference);
        easy.Reference.ShouldNotBe(half.Reference);
        var (whole, larger, smaller) = (await TextsAsync(all), await TextsAsync(half), await TextsAsync(fifth));
        larger.Count.ShouldBe((int)Math.Round(whole.Count * 0.5, MidpointRounding.AwayFromZero));
        smaller.Count.ShouldBe((int)Math.Round(whole.Count * 0.2, MidpointRounding.AwayFromZero));
        smaller.Except(larger).ShouldBeEmpty();
        larger.Except(whole).ShouldBeEmpty();
        (await TextsAsync(half, DatasetSplits.HeldOut)).ShouldBe(await TextsAsync(all, DatasetSplits.HeldOut));
        (await TextsAsync(half, DatasetSplits.Validation)).ShouldBe(await TextsAsync(all, DatasetSplits.Validation));
    }

    /// <summary>Few documents of another kind are far from every prototype of the many.</summary>
    [Fact]
    public async Task BuildAsync_HardOrEasy_KeepsTheUnusualOrTheUsual()
    {
        var source = Source();

        var hard = await TextsAsync(await BuildAsync(source, new(0.3) { Clusters = 3 }));
        var easy = await TextsAsync(await BuildAsync(source, new(0.3) { Clusters = 3, Prefer = KeepPreference.Easy }));

        var (odd, usual) = (hard.Count(IsOdd), easy.Count(IsOdd));
        odd.ShouldBeGreaterThan(2 * usual);
        foreach (var topic in Topics) // the floor: a third of the documents, half of a share of 0.3
            hard.Count(text => text.Contains(topic.Split(' ')[0], StringComparison.Ordinal)).ShouldBeGreaterThan(5);
    }

    [Fact]
    public async Task BuildAsync_TwoDomains_SaysOfEachWhatWasKept()
    {
        var other = "jsonl:" + _workspace.Write("other.jsonl", Lines(60, i => $"{{\"text\":\"Other {i} {Text(0, i)}\"}}"));

        var built = await _workspace.BuildAsync(new DatasetRequest
        {
            Sources = [new TextSource(Source()) { Name = "a" }, new TextSource(other) { Name = "b" }], Keep = new KeepRequest(0.25),
        });

        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        foreach (var (name, domain) in dataset.Properties.Domains)
        {
            var kept = domain.Splits[DatasetSplits.Train].Documents;
            kept.ShouldBe((int)Math.Round((kept + domain.Pruned!.Value) * 0.25, MidpointRounding.AwayFromZero), name);
            _workspace.Progress.Lines.ShouldContain(line => line.StartsWith($"{name}: kept {kept} of {kept + domain.Pruned} training documents"));
        }
        built.Pruned.ShouldBe(dataset.Properties.Domains.Values.Sum(d => d.Pruned!.Value));
    }

    private static bool IsOdd(string text) => text.Contains("odd", StringComparison.Ordinal);

    private static float[] Unit(string text)
    {
        var vector = TextFeatures.Of(text, []);
        TextFeatures.Normalize(vector, new float[TextFeatures.Size]);
        return vector;
    }

    // Two words of the topic, many times over, with a number that makes the text one of its own.
    private static string Text(int topic, int number)
    {
        var words = Topics[topic].Split(' ');
        return string.Join(' ', Enumerable.Range(0, 20).Select(i => words[(number + i * (1 + number % 3)) % words.Length])) + $" {number}";
    }

    // 360 documents of three topics, and 40 whose words nobody else has.
    private string Source() => "jsonl:" + _workspace.Write("source.jsonl", Lines(400, i => i % 10 == 9
        ? $"{{\"text\":\"odd {string.Join(' ', Enumerable.Range(0, 20).Select(w => $"w{i * 31 + w * 7}"))}\"}}"
        : $"{{\"text\":\"{Text(i % 3, i)}\"}}"));

    private static string Lines(int count, Func<int, string> line) => string.Concat(Enumerable.Range(0, count).Select(i => line(i) + "\n"));

    private Task<DatasetBuild> BuildAsync(string source, KeepRequest? keep) =>
        _workspace.BuildAsync(new DatasetRequest { Sources = [new TextSource(source)], Keep = keep });

    private async Task<List<string>> TextsAsync(DatasetBuild built, string split = DatasetSplits.Train)
    {
        var dataset = await TextDataset.OpenAsync(_workspace.Artifacts, built.Reference, default);
        return [.. (await dataset.DocumentsAsync(split)).Select(d => d.Text)];
    }
}
