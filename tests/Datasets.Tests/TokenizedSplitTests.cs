using Espalier.Tokenizers;
using Espalier.Datasets;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Tests;

public sealed class TokenizedSplitTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();
    private readonly ByteTokenizer _bytes = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task OpenAsync_EveryDocument_IsFollowedByTheEndToken()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        using var split = await OpenAsync(dataset);

        foreach (var domain in split.Domains)
        {
            var index = 0;
            await foreach (var document in dataset.ReadAsync(DatasetSplits.HeldOut, domain.Name, CancellationToken.None))
            {
                var place = domain.Documents[index++];
                var ids = new int[place.Tokens];
                domain.Read(place.Start, ids);
                ids.ShouldBe([.. _bytes.Encode(document.Text), _bytes.EndTokenId]);
                place.SizeBytes.ShouldBe(document.SizeBytes());
            }
            index.ShouldBe(domain.Documents.Count);
        }
        split.Tokens.ShouldBe(split.SizeBytes + split.Domains.Sum(d => d.Documents.Count));
    }

    [Fact]
    public async Task OpenAsync_SecondTime_ReadsTheCache()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        (await OpenAsync(dataset)).Dispose();
        var written = CacheFiles().Select(File.GetLastWriteTimeUtc).ToList();

        (await OpenAsync(dataset)).Dispose();

        CacheFiles().Select(File.GetLastWriteTimeUtc).ShouldBe(written);
        CacheFiles().Length.ShouldBe(3);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(130)]
    [InlineData(-1)]
    public async Task OpenAsync_DamagedCache_IsMadeAgain(int position)
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        (await OpenAsync(dataset)).Dispose();
        var file = CacheFiles()[0];
        var good = File.ReadAllBytes(file);
        var bad = (byte[])good.Clone();
        bad[position < 0 ? ^1 : position] ^= 0x40;
        File.WriteAllBytes(file, bad);

        (await OpenAsync(dataset)).Dispose();

        File.ReadAllBytes(file).ShouldBe(good);
    }

    [Fact]
    public async Task OpenAsync_TruncatedCache_IsMadeAgain()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        (await OpenAsync(dataset)).Dispose();
        var good = File.ReadAllBytes(CacheFiles()[0]);
        File.WriteAllBytes(CacheFiles()[0], good[..50]);

        (await OpenAsync(dataset)).Dispose();

        File.ReadAllBytes(CacheFiles()[0]).ShouldBe(good);
    }

    [Fact]
    public async Task OpenAsync_LargeVocabulary_KeepsIdsAboveSixteenBits()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        using var split = await TokenizedSplit.OpenAsync(dataset, DatasetSplits.HeldOut, new ShiftedBytes(), _workspace.Cache, null, CancellationToken.None);
        var ids = new int[100];

        split.Domains[0].Read(0, ids);

        ids.ShouldAllBe(id => id >= 100_000);
    }

    [Fact]
    public async Task OpenAsync_TokenizerThatBegins_PutsOneTokenBeforeEachDocumentAndKeepsItsOwnCache()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        using var plain = await OpenAsync(dataset);
        using var split = await TokenizedSplit.OpenAsync(dataset, DatasetSplits.HeldOut, new BegunBytes(), _workspace.Cache, null, CancellationToken.None);
        var (before, after) = (plain.Domains[0], split.Domains[0]);
        var ids = new int[after.Documents[1].Tokens];

        after.Read(after.Documents[1].Start, ids);

        ids[0].ShouldBe(257);
        ids[1..].ShouldNotContain(257);
        ids[^1].ShouldBe(256);
        after.Tokens.ShouldBe(before.Tokens + before.Documents.Count);
        split.Identity.ShouldNotBe(plain.Identity);
    }

    private Task<TokenizedSplit> OpenAsync(TextDataset dataset) =>
        TokenizedSplit.OpenAsync(dataset, DatasetSplits.HeldOut, _bytes, _workspace.Cache, _workspace.Progress.Report, CancellationToken.None);

    private string[] CacheFiles() => [.. Directory.GetFiles(_workspace.Cache.FullName, "*", SearchOption.AllDirectories).Order()];

    // Bytes by the same digest, so that only the beginning-of-text token tells the ids apart.
    private sealed class BegunBytes : ITokenizer
    {
        private readonly ByteTokenizer _bytes = new();

        public int VocabularySize => 258;

        public int EndTokenId => 256;

        public int? BeginTokenId => 257;

        public bool AddsBeginToken => true;

        public IReadOnlyDictionary<string, byte[]> Files => _bytes.Files;

        public string Digest => _bytes.Digest;

        public int[] Encode(string text) => _bytes.Encode(text);

        public string Decode(ReadOnlySpan<int> ids) => _bytes.Decode(ids);
    }

    private sealed class ShiftedBytes : ITokenizer
    {
        public int VocabularySize => 100_257;

        public int EndTokenId => 100_256;

        public IReadOnlyDictionary<string, byte[]> Files => new Dictionary<string, byte[]>();

        public string Digest => "shifted";

        public int[] Encode(string text) => [.. System.Text.Encoding.UTF8.GetBytes(text).Select(b => 100_000 + b)];

        public string Decode(ReadOnlySpan<int> ids) => throw new NotSupportedException();
    }
}
