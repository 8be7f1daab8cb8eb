using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.TestKit.Models;
using Espalier.TestKit.Servers;
using Espalier.Tokenizers;

namespace Espalier.Gguf.Tests;

/// <summary>Tokenizers in files: llama.cpp cuts and joins text as we do.</summary>
public sealed class TokenizerTests : IDisposable
{
    private static readonly string[] Texts =
    [
        "The gardener ties the frame.", " leading space", "two  spaces\n\nand lines\ttabs", "naïve café, Straße, 東京, Ελλάδα, 🌳🌲", "it's we'll 1234567 x86_64",
        "{\"json\": [1, 2.5e-3, null]}", "ALL CAPS and mIxEd", "don't  stop\r\nnow",
    ];

    private readonly GgufBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Export_ByteLevelVocabulary_CutsTextAsWeDo() =>
        await CompareAsync(ByteLevelBpe.Train(Texts.Concat(GgufBench.Sentences(300, 1)), 600), Texts);

    [Theory]
    [InlineData("tokenizer.json", "tokenizer.json")]
    [InlineData("tokenizer-metaspace.json", "tokenizer.json")]
    [InlineData("spm-llama.model", "tokenizer.model")]
    public async Task Export_VocabularyOfOthers_CutsTextAsWeDo(string golden, string name)
    {
        var folder = Repository.PathOf("tests/Tokenizers.Tests/golden");
        var files = new Dictionary<string, byte[]> { [name] = await File.ReadAllBytesAsync(Path.Combine(folder, golden)) };
        if (golden == "tokenizer.json")
            files["tokenizer_config.json"] = await File.ReadAllBytesAsync(Path.Combine(folder, "tokenizer_config.json"));

        await CompareAsync(TokenizerFiles.Load(TokenizerSource.Of(files), 1 << 20), Texts, files);
    }

    [Fact]
    public async Task Export_NoTokenizer_SaysSo()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        using var file = Files.GgufReader.Open(await _bench.ExportAsync(tiny.Store, tiny.Model, "f32", hasTokenizer: false));

        file.Values["tokenizer.ggml.model"].ShouldBe("no_vocab");
        _bench.Notes.ShouldContain(n => n.Contains("no_vocab"));
    }

    [Fact]
    public async Task Export_VocabularyThatLlamaCppDoesNotKnow_IsRefusedWithTheRemedy()
    {
        var golden = Repository.PathOf("tests/Tokenizers.Tests/golden/spm-unigram.model");
        var files = new Dictionary<string, byte[]> { ["tokenizer.model"] = await File.ReadAllBytesAsync(golden) };
        var size = TokenizerFiles.Load(TokenizerSource.Of(files), 1 << 20).VocabularySize;
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny(size), files: files);

        var refusal = await Should.ThrowAsync<UserInputException>(() => _bench.ExportAsync(tiny.Store, tiny.Model, "f32"));

        refusal.Message.ShouldContain("--tokenizer none");
        (await _bench.ExportAsync(tiny.Store, tiny.Model, "f32", hasTokenizer: false)).ShouldNotBeNull();
    }

    private async Task CompareAsync(ITokenizer tokenizer, IEnumerable<string> texts, IReadOnlyDictionary<string, byte[]>? files = null)
    {
        var config = ModelConfig.Tiny(tokenizer.VocabularySize + 3) with { EosTokenId = tokenizer.EndTokenId };
        using var tiny = await TinyCheckpoint.CreateAsync(config, files: files ?? tokenizer.Files);

        using var llama = new LlamaCpp(await _bench.ExportAsync(tiny.Store, tiny.Model, "f32"));

        foreach (var text in texts)
            llama.Tokenize(text).ShouldBe(tokenizer.Encode(text), JsonSerializer.Serialize(text));
    }
}
