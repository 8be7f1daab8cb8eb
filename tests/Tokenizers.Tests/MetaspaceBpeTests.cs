using System.Text;
using System.Text.Json.Nodes;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

/// <summary>Against the reference library's ids and texts; golden/make-metaspace.mjs says where they come from.</summary>
public sealed class MetaspaceBpeTests
{
    private static readonly JsonNode Golden = JsonNode.Parse(GoldenFiles.Read("golden-metaspace.json"))!;

    private static readonly string[] Texts = [.. GoldenFiles.TortureTexts, .. Golden["texts"]!.AsArray().Select(t => (string)t!)];

    public static TheoryData<string> Variants => [.. Golden["variants"]!.AsObject().Select(v => v.Key)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Encode_TortureText_GivesTheReferenceIds(string variant)
    {
        var tokenizer = Create(Golden["variants"]![variant]!["patch"]!.AsObject());
        var expected = GoldenFiles.Ids(Golden["variants"]![variant]!["ids"]!);

        for (var i = 0; i < Texts.Length; i++)
            tokenizer.Encode(Texts[i]).ShouldBe(expected[i], $"text {i}: {JsonValue.Create(Texts[i])}");
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Decode_ReferenceIds_GivesTheReferenceText(string variant)
    {
        var golden = Golden["variants"]![variant]!;
        var tokenizer = Create(golden["patch"]!.AsObject());
        var ids = GoldenFiles.Ids(golden["ids"]!);

        for (var i = 0; i < ids.Length; i++)
            tokenizer.Decode(ids[i]).ShouldBe((string)golden["decoded"]![i]!, $"text {i}: {JsonValue.Create(Texts[i])}");
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

    private static MetaspaceBpe Create(JsonObject patch)
    {
        var json = JsonNode.Parse(GoldenFiles.Read("tokenizer-metaspace.json"))!;
        foreach (var (key, value) in patch.Where(entry => entry.Key != "model"))
            json[key] = value?.DeepClone();
        foreach (var (key, value) in patch["model"] as JsonObject ?? [])
            json["model"]![key] = value?.DeepClone();
        return MetaspaceBpe.Read(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }
}
