using System.Text;
using System.Text.Json.Nodes;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

public sealed class TokenizerJsonReaderTests
{
    public static TheoryData<string, string, string> Damages => new()
    {
        { "model", "null", "model is missing" },
        { "model.type", "\"Unigram\"", "only BPE" },
        { "model.vocab", "[]", "model.vocab is not an object" },
        { "model.vocab.!", "\"x\"", "model.vocab[\"!\"] is \"x\"" },
        { "model.vocab.!", "2", "which another token has" },
        { "model.vocab.!", "-1", "expected an id" },
        { "model.vocab.!", "2000000000", "expected an id" },
        { "model.merges", "[\"Ġ t h\"]", "model.merges[0] is 'Ġ t h'" },
        { "model.merges", "[\"q zz\"]", "needs 'zz', which is not in model.vocab" },
        { "model.merges", "[\"! !\"]", "needs '!!', which is not in model.vocab" },
        { "model.merges", "[3]", "model.merges[0] is neither" },
        { "model.dropout", "0.1", "ids would be random" },
        { "model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix" },
        { "model.unk_token", "\"<unk>\"", "model.unk_token '<unk>'" },
        { "model.ignore_merges", "3", "model.ignore_merges is 3" },
        { "pre_tokenizer", "null", "pre_tokenizer is missing" },
        { "pre_tokenizer", "{\"type\":\"Whitespace\"}", "pre_tokenizer does not end in ByteLevel" },
        {
            "pre_tokenizer",
            "{\"type\":\"Sequence\",\"pretokenizers\":["
                + "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x+\"},\"behavior\":\"MergedWithNext\"},"
                + "{\"type\":\"ByteLevel\",\"use_regex\":false,\"add_prefix_space\":false}]}",
            "pretokenizers[0].behavior is 'MergedWithNext'; supported: Isolated, Removed"
        },
        { "normalizer", "{\"type\":\"Lowercase\"}", "'Lowercase' is not supported" },
        { "decoder", "{\"type\":\"WordPiece\"}", "decoder is not ByteLevel" },
        { "added_tokens", "[{\"id\":-5,\"content\":\"x\"}]", "added_tokens[0] 'x' needs an id" },
        { "added_tokens", "[7]", "added_tokens[0] needs a content" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Read_DamagedEntry_NamesFileAndEntry(string path, string value, string expected)
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        var keys = path.Split('.');
        var parent = keys[..^1].Aggregate(json, (node, key) => node[key]!);
        parent[keys[^1]] = JsonNode.Parse(value);

        var error = Should.Throw<InvalidTokenizerException>(() => TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(json.ToJsonString())));

        error.Message.ShouldStartWith("tokenizer.json");
        error.Message.ShouldContain(expected);
    }

    [Fact]
    public void Read_TruncatedFile_SaysWhere() =>
        Should.Throw<InvalidTokenizerException>(() => TokenizerJsonReader.Read(GoldenFiles.TokenizerJson.AsMemory(0, 5000)))
            .Message.ShouldContain("tokenizer.json is not valid JSON");

    [Fact]
    public void Read_NestedBeyondTheLimit_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(new string('[', 100_000))))
            .Message.ShouldContain("depth");

    [Fact]
    public void Read_TokenTwice_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => TokenizerJsonReader.Read("""{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}"""u8.ToArray()))
            .Message.ShouldContain("\"a\"] appears twice");
}
