using System.Diagnostics;
using System.Text;
using Espalier.Datasets.Sampling;
using Espalier.Datasets.Tokens;
using Espalier.Tokenizers;

namespace Espalier.Datasets.Tests;

/// <summary>Memory of the process while a dataset is made of more text than the cap.</summary>
[Collection(nameof(Alone))]
public sealed class StreamingTests : IDisposable
{
    private const long Text = 96L << 20, Cap = 80L << 20;

    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_TextLargerThanTheCap_StaysBelowIt()
    {
        var small = Write("small.jsonl", 1 << 20);
        var large = Write("large.jsonl", Text);
        await MakeAsync(small); // loads code
        GC.Collect();
        await File.WriteAllTextAsync("/proc/self/clear_refs", "5"); // the peak starts anew
        var before = Process.GetCurrentProcess().WorkingSet64;

        var dataset = await MakeAsync(large);

        var grown = Process.GetCurrentProcess().PeakWorkingSet64 - before;
        dataset.TextBytes(DatasetSplits.All).ShouldBeGreaterThan(Cap);
        dataset.Properties.Domains["text"].Duplicates.ShouldBeGreaterThan(0);
        grown.ShouldBeLessThan(Cap);
    }

    private async Task<TextDataset> MakeAsync(string source)
    {
        var dataset = await _workspace.OpenAsync(source);
        using var split = await TokenizedSplit.OpenAsync(dataset, DatasetSplits.HeldOut, new ByteTokenizer(), _workspace.Cache, null, CancellationToken.None);
        return dataset;
    }

    /// <summary>Documents of 8 KB, all but every hundredth different.</summary>
    private string Write(string name, long bytes)
    {
        var path = Path.Combine(_workspace.Folder.FullName, name);
        var filling = string.Concat(Enumerable.Range(0, 800).Select(i => $"word {StatelessRandom.Mix((ulong)i) % 9973} "));
        using var writer = new StreamWriter(path, append: false, Encoding.ASCII, 1 << 20);
        for (var i = 0L; i * filling.Length < bytes; i++)
            writer.Write($$"""{"text":"document {{i - (i % 100 == 99 ? 1 : 0)}}: {{filling}}"}""" + "\n");
        return "jsonl:" + path;
    }
}

/// <summary>Tests that measure the whole process.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
