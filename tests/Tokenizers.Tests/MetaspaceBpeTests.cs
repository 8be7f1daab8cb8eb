using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

/// <summary>Beside Hugging Face's library; the variants patch one file, so that all ways to mark spaces are covered.</summary>
public sealed class MetaspaceBpeTests
{
    private static readonly JsonNode Golden = JsonNode.Parse(GoldenFiles.Read("golden-metaspace.json"))!;

    private static readonly string[] Texts = [.. GoldenFiles.TortureTexts, .. Golden["texts"]!.AsArray().Select(t => (string)t!)];

    public static TheoryData<string> Variants => [.. Golden["variants"]!.AsObject().Select(v => v.Key)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Encode_TortureAndRandomText_GivesTheLibrarysIds(string variant)
    {
        var json = Patched(Golden["variants"]![variant]!.AsObject());
        var (tokenizer, library) = (MetaspaceBpe.Read(json), new HuggingFaceOracle(json));

        foreach (var text in Texts)
            tokenizer.Encode(text).ShouldBe(library.Encode(text), JsonValue.Create(text).ToJsonString());
        RandomTexts.Compare(tokenizer.Encode, library.Encode);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Decode_IdsOfTortureAndRandomText_GivesTheLibrarysText(string variant)
    {
        var json = Patched(Golden["variants"]![variant]!.AsObject());
        var (tokenizer, library) = (MetaspaceBpe.Read(json), new HuggingFaceOracle(json));

        foreach (var text in Texts)
            tokenizer.Decode(tokenizer.Encode(text)).ShouldBe(library.Decode(tokenizer.Encode(text)), JsonValue.Create(text).ToJsonString());
        RandomTexts.Texts.Sample(text => tokenizer.Decode(tokenizer.Encode(text)) == library.Decode(tokenizer.Encode(text)), iter: 1000, threads: 1);
    }

    [Fact]
    public void Decode_BytesThatAreNoText_GivesOneReplacementForEach()
    {
        var tokenizer = Create([]);
        foreach (var entry in Golden["bytes"]!.AsArray())
            tokenizer.Decode([.. entry!["ids"]!.AsArray().Select(id => (int)id!)]).ShouldBe((string)entry["text"]!);
    }

    [Fact]
    public void Load_FromCheckpointFiles_FindsKindAndEnd()
    {
        var bytes = GoldenFiles.Read("tokenizer-metaspace.json");

        var tokenizer = TokenizerFiles.Load(TokenizerSource.Of(new Dictionary<string, byte[]> { [TokenizerFiles.Tokenizer] = bytes }), 1000);

        tokenizer.ShouldBeOfType<MetaspaceBpe>().EndTokenId.ShouldBe(2);
        tokenizer.VocabularySize.ShouldBe(936);
        tokenizer.Files[TokenizerFiles.Tokenizer].ShouldBe(bytes);
    }

    [Fact]
    public void Encode_LongPieceWithoutCuts_IsNotQuadratic()
    {
        var text = string.Concat(Enumerable.Repeat("the house ", 40_000));

        Create([]).Decode(Create([]).Encode(text)).ShouldBe(text);
    }

    [Theory]
    [InlineData("""{"pre_tokenizer":{"type":"Metaspace"}}""", "pre_tokenizer.replacement is missing")]
    [InlineData("""{"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"often"}}""", "is 'often'")]
    [InlineData(
        """{"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","add_prefix_space":false}}""",
        "contradicts prepend_scheme")]
    [InlineData("""{"decoder":{"type":"WordPiece"}}""", "'WordPiece' is not supported")]
    [InlineData("""{"model":{"vocab":{"<unk>":0,"a":1},"merges":[]}}""", "lacks some of the 256 tokens from <0x00> to <0xFF>")]
    public void Read_WhatCannotBeReproduced_IsRefused(string patch, string expected) =>
        Should.Throw<InvalidTokenizerException>(() => Create(JsonNode.Parse(patch)!.AsObject())).Message.ShouldContain(expected);

    private static MetaspaceBpe Create(JsonObject patch) => MetaspaceBpe.Read(Patched(patch));

    private static byte[] Patched(JsonObject patch)
    {
        var json = JsonNode.Parse(GoldenFiles.Read("tokenizer-metaspace.json"))!;
        foreach (var (key, value) in patch.Where(entry => entry.Key != "model"))
            json[key] = value?.DeepClone();
        foreach (var (key, value) in patch["model"] as JsonObject ?? [])
            json["model"]![key] = value?.DeepClone();
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }
}
