using Espalier.Contracts;
using Espalier.Tokenizers;
using Espalier.Datasets;
using Espalier.Datasets.Sampling;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Tests;

public sealed class BatchSamplerTests : IAsyncLifetime
{
    private readonly DataWorkspace _workspace = new();
    private TokenizedSplit _split = null!;

    public async Task InitializeAsync() => _split = await OpenAsync(DatasetSplits.Train);

    public Task DisposeAsync()
    {
        _split.Dispose();
        _workspace.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public void Batch_AnyOrderOfCalls_GivesTheSameIds()
    {
        var first = new BatchSampler(_split, 32, 4, seed: 5);
        var inOrder = Enumerable.Range(0, 400).Select(n => first.Batch(n)).ToList();

        var second = new BatchSampler(_split, 32, 4, seed: 5);

        foreach (var n in (int[])[399, 0, 256, 255, 17, 300])
            second.Batch(n).ShouldBe(inOrder[n]);
    }

    [Fact]
    public void Batch_AnotherSeed_GivesOtherIds() =>
        new BatchSampler(_split, 32, 4, seed: 5).Batch(0).ShouldNotBe(new BatchSampler(_split, 32, 4, seed: 6).Batch(0));

    [Fact]
    public void Batch_OneEpoch_DrawsEveryPositionAboutOnce()
    {
        var domain = _split.Domains.Single(d => d.Name == "sums");
        var sampler = new BatchSampler(_split, 64, 1, seed: 1, new Dictionary<string, double> { ["sums"] = 1 });
        var perEpoch = (int)(domain.Tokens / 64);
        var stream = new int[domain.Tokens];
        domain.Read(0, stream);

        var rows = Enumerable.Range(0, perEpoch).Select(n => sampler.Batch(n)).ToList();

        // Together the inputs are the stream without its last partial row, wherever it was cut: same number of each id, nearly.
        var drawn = rows.SelectMany(r => r.Take(64)).CountBy(id => (int)id).ToDictionary();
        foreach (var (id, count) in stream.CountBy(id => id))
            drawn.GetValueOrDefault(id).ShouldBeInRange(count - 64, count);
        rows.Select(r => string.Join(' ', r)).ShouldBeUnique();
        sampler.Epochs(perEpoch)["sums"].ShouldBe(1, 0.01);
    }

    [Fact]
    public void Batch_SecondEpoch_CutsElsewhere()
    {
        var sampler = new BatchSampler(_split, 64, 1, seed: 1, new Dictionary<string, double> { ["sums"] = 1 });
        var perEpoch = (int)(_split.Domains.Single(d => d.Name == "sums").Tokens / 64);

        var first = Enumerable.Range(0, perEpoch).Select(n => string.Join(' ', sampler.Batch(n))).ToHashSet();
        var second = Enumerable.Range(perEpoch, perEpoch).Select(n => string.Join(' ', sampler.Batch(n))).ToHashSet();

        first.Intersect(second).Count().ShouldBeLessThan(perEpoch / 10);
    }

    [Fact]
    public void Batch_GivenWeights_MixAsAsked()
    {
        var weights = new Dictionary<string, double> { ["cards"] = 3, ["sums"] = 1 };
        var sampler = new BatchSampler(_split, 64, 8, seed: 3, weights);

        var cards = Enumerable.Range(0, 128).SelectMany(n => sampler.Batch(n).Chunk(65)).Count(row => row.Contains('='));

        cards.ShouldBeInRange(765, 771);
        sampler.Epochs(128).Keys.ShouldBe(["cards", "sums"], ignoreOrder: true);
    }

    [Fact]
    public async Task Batch_TextShorterThanASequence_GoesRound()
    {
        using var split = await OpenAsync(DatasetSplits.HeldOut, "file:" + _workspace.Write("short.txt", "a few\fwords"));

        var row = new BatchSampler(split, 64, 1, seed: 1).Batch(9);

        row.Length.ShouldBe(65);
        row.ShouldContain(256L);
    }

    [Fact]
    public void Resolve_UnknownDomain_NamesTheNearest() =>
        Should.Throw<UserInputException>(() => MixingWeights.Resolve(_split.Domains, new Dictionary<string, double> { ["card"] = 1 }))
            .Message.ShouldContain("did you mean 'cards'?");

    [Fact]
    public void Resolve_HighTemperature_EvensOut()
    {
        var proportional = MixingWeights.Resolve(_split.Domains);
        var even = MixingWeights.Resolve(_split.Domains, temperature: 1e6);

        (proportional["cards"] / proportional["sums"]).ShouldBeGreaterThan(1.5);
        (even["cards"] / even["sums"]).ShouldBe(1, 1e-3);
    }

    [Fact]
    public void Draw_SameSeed_GivesTheSameSample()
    {
        var first = CalibrationSet.Draw(_split, samples: 16, length: 48, seed: 9);

        CalibrationSet.Draw(_split, 16, 48, 9).Ids.ShouldBe(first.Ids);
        CalibrationSet.Draw(_split, 16, 48, 10).Ids.ShouldNotBe(first.Ids);
        (first.Ids.GetLength(0), first.Ids.GetLength(1)).ShouldBe((16, 48));
    }

    [Fact]
    public async Task Draw_TextShorterThanAsked_GivesEachTokenOnce()
    {
        using var split = await OpenAsync(DatasetSplits.Train, "file:" + _workspace.Write("short.txt", Letters('!', 40) + "\f" + Letters('P', 40)));

        var sample = CalibrationSet.Draw(split, samples: 128, length: 10, seed: 1);

        (sample.Asked, sample.TextTokens).ShouldBe((128, 41)); // one document trains: 40 characters and the end token
        sample.Ids.Length.ShouldBe(4 * 10);
        sample.Ids.Cast<long>().ShouldBeUnique();
    }

    [Fact]
    public void Draw_MoreThanSeveralDomainsHave_ReadsEachOnce()
    {
        var available = new Dictionary<long, int>();
        foreach (var domain in _split.Domains)
        {
            var stream = new int[domain.Tokens];
            domain.Read(0, stream);
            foreach (var id in stream)
                available[id] = available.GetValueOrDefault(id) + 1;
        }

        var sample = CalibrationSet.Draw(_split, samples: 1 << 20, length: 500, seed: 2);

        sample.Ids.GetLength(0).ShouldBe((int)_split.Domains.Sum(d => d.Tokens / 500));
        foreach (var (id, count) in sample.Ids.Cast<long>().CountBy(id => id))
            count.ShouldBeLessThanOrEqualTo(available[id]);
    }

    [Fact]
    public async Task Draw_LessThanOneSequence_IsRefusedWithTheLengthThatFits()
    {
        using var split = await OpenAsync(DatasetSplits.Train, "file:" + _workspace.Write("tiny.txt", "Words\fOther"));

        Should.Throw<UserInputException>(() => CalibrationSet.Draw(split, samples: 128, length: 128, seed: 1))
            .Message.ShouldBe("The calibration text has 6 tokens, fewer than one sequence of 'calibration.length' 128: "
                + "give more text, or a length of at most 6.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(1000)]
    public void Permute_AnyCount_HitsEveryIndexOnce(long count) =>
        Enumerable.Range(0, (int)count).Select(i => StatelessRandom.Permute(77, i, count)).Order()
            .ShouldBe(Enumerable.Range(0, (int)count).Select(i => (long)i));

    private static string Letters(char first, int count) => string.Concat(Enumerable.Range(first, count).Select(c => (char)c));

    private async Task<TokenizedSplit> OpenAsync(string split, string source = "corpus:synthetic") =>
        await TokenizedSplit.OpenAsync(await _workspace.OpenAsync(source), split, new ByteTokenizer(), _workspace.Cache, null, CancellationToken.None);
}
