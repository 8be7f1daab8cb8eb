using Espalier.Datasets;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Tests;

public sealed class LearntVocabularyTests : IDisposable
{
    private const int Size = 300;
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task OpenAsync_SecondTime_ReadsTheCache()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");

        var first = await OpenAsync(dataset, Size);
        var second = await OpenAsync(dataset, Size);

        second.Digest.ShouldBe(first.Digest);
        second.Files.Keys.ShouldBe(first.Files.Keys);
        second.Files["tokenizer.json"].ShouldBe(first.Files["tokenizer.json"]);
        _workspace.Progress.Lines.Count(l => l.StartsWith("Training a byte-level BPE", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task OpenAsync_OtherSize_IsAnotherVocabulary()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");

        (await OpenAsync(dataset, Size + 20)).VocabularySize.ShouldBeGreaterThan((await OpenAsync(dataset, Size)).VocabularySize);
    }

    [Fact]
    public async Task OpenAsync_DamagedCache_IsLearntAgain()
    {
        var dataset = await _workspace.OpenAsync("corpus:synthetic");
        var first = await OpenAsync(dataset, Size);
        var file = Directory.GetFiles(Path.Combine(_workspace.Cache.FullName, "vocabularies")).ShouldHaveSingleItem();
        var bytes = File.ReadAllBytes(file);
        bytes[^9] ^= 1;
        File.WriteAllBytes(file, bytes);

        (await OpenAsync(dataset, Size)).Digest.ShouldBe(first.Digest);

        _workspace.Progress.Lines.Count(l => l.StartsWith("Training a byte-level BPE", StringComparison.Ordinal)).ShouldBe(2);
    }

    private Task<Espalier.Tokenizers.ByteLevelBpe> OpenAsync(TextDataset dataset, int size) =>
        LearntVocabulary.OpenAsync(dataset, size, 1 << 20, _workspace.Cache, _workspace.Progress.Log, CancellationToken.None);
}
