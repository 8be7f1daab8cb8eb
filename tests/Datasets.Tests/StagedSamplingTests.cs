using Espalier.Datasets.Sampling;
using Espalier.Datasets.Tokens;
using Espalier.Tokenizers;

namespace Espalier.Datasets.Tests;

/// <summary>Mixtures that change over the order of the data.</summary>
public sealed class StagedSamplingTests : IAsyncLifetime
{
    private const int Length = 16;
    private static readonly MixtureStage[] Stages =
    [
        new(new Dictionary<string, double> { ["cards"] = 3, ["sums"] = 1 }, Until: 300),
        new(new Dictionary<string, double> { ["stories"] = 1 }, Until: 310),
        new(new Dictionary<string, double> { ["cards"] = 1, ["sums"] = 3 }),
    ];

    private readonly DataWorkspace _workspace = new();
    private TokenizedSplit _split = null!;

    public async Task InitializeAsync() => _split = await TokenizedSplit.OpenAsync(
        await _workspace.OpenAsync("corpus:synthetic"), DatasetSplits.Train, new ByteTokenizer(), _workspace.Cache, null, CancellationToken.None);

    public Task DisposeAsync()
    {
        _split.Dispose();
        _workspace.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public void DomainsOf_EachStage_AreAsItsMixtureAsks()
    {
        MixtureStage[] stages = [Stages[0] with { Until = 2048 }, Stages[1] with { Until = 2058 }, Stages[2]];
        var sampler = new BatchSampler(_split, Length, 1, seed: 3, stages);

        Count(0, 2048).ShouldBe(new Dictionary<string, int> { ["cards"] = 1536, ["sums"] = 512 }, ignoreOrder: true); // cycles of 1024
        Count(2048, 2058).ShouldBe(new Dictionary<string, int> { ["stories"] = 10 });
        Count(2058, 2058 + 1024).ShouldBe(new Dictionary<string, int> { ["cards"] = 256, ["sums"] = 768 }, ignoreOrder: true);
        sampler.Shares[0].ShouldBe(new Dictionary<string, double> { ["cards"] = 0.75, ["sums"] = 0.25 }, ignoreOrder: true);
        sampler.Shares[1].ShouldBe(new Dictionary<string, double> { ["stories"] = 1 });

        Dictionary<string, int> Count(int from, int to) => Enumerable.Range(from, to - from)
            .SelectMany(sequence => sampler.DomainsOf(sequence)).GroupBy(d => d.Key).ToDictionary(d => d.Key, d => d.Sum(one => one.Value));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(299)]
    [InlineData(300)]
    [InlineData(305)]
    [InlineData(310)]
    [InlineData(700)]
    public void Counts_AtAnySequence_AreThoseOfTheSequencesBefore(int sequences)
    {
        var sampler = new BatchSampler(_split, Length, 1, seed: 3, Stages);

        var counted = Enumerable.Range(0, sequences).SelectMany(s => sampler.DomainsOf(s).Keys).CountBy(name => name)
            .ToDictionary(d => d.Key, d => (long)d.Value);

        sampler.Counts(sequences).Where(d => d.Value > 0).ShouldBe(counted, ignoreOrder: true);
    }

    /// <summary>A later stage goes on with what earlier ones have not read: within a first reading no sequence comes twice.</summary>
    [Fact]
    public void Batch_AcrossStages_ReadsEachDomainOnce()
    {
        var sampler = new BatchSampler(_split, Length, 1, seed: 3, Stages);
        var count = Enumerable.Range(0, 4000).TakeWhile(sequence => sampler.IsFirstReading(sequence)).Count();

        var plain = new Dictionary<string, HashSet<string>>();
        foreach (var domain in new[] { "cards", "stories", "sums" })
        {
            var alone = new BatchSampler(_split, Length, 1, seed: 3, new Dictionary<string, double> { [domain] = 1 });
            plain[domain] = [.. Enumerable.Range(0, (int)sampler.Counts(count)[domain]).Select(s => string.Join(' ', alone.Batch(s)))];
        }

        count.ShouldBeGreaterThan(400); // into the third stage
        foreach (var group in Enumerable.Range(0, count).GroupBy(sequence => sampler.DomainsOf(sequence).Keys.Single()))
            group.Select(sequence => string.Join(' ', sampler.Batch(sequence))).ToHashSet().SetEquals(plain[group.Key]).ShouldBeTrue(group.Key);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    public void Batch_OtherBatchSize_GivesTheSameSequences(int batchSize)
    {
        var one = new BatchSampler(_split, Length, 1, seed: 3, Stages);
        var several = new BatchSampler(_split, Length, batchSize, seed: 3, Stages);

        Enumerable.Range(0, 60).SelectMany(batch => several.Batch(batch)).ShouldBe(Enumerable.Range(0, 60 * batchSize).SelectMany(s => one.Batch(s)));
    }

    [Fact]
    public void Batch_SameMixtureInTwoStages_IsAsGoodAsOne()
    {
        MixtureStage[] same = [Stages[0], Stages[0] with { Until = null }];
        var staged = new BatchSampler(_split, Length, 1, seed: 3, same);
        var plain = new BatchSampler(_split, Length, 1, seed: 3, Stages[0].Weights);

        for (var sequence = 0; sequence < 300; sequence++)
            staged.Batch(sequence).ShouldBe(plain.Batch(sequence));
    }
}
