using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

/// <summary>Ranks as tiktoken lists them. The list is the byte-level vocabulary of the golden files, so their ids are known.</summary>
public sealed class TiktokenFileTests
{
    private const string Text = "Hello there, don't WE'LL e\u0301 12345";

    [Fact]
    public void Load_Qwen_SplitsAsItsNameSays()
    {
        var tokenizer = Load(("qwen.tiktoken", Ranks()));

        tokenizer.Encode("123").ShouldBe([.. tokenizer.Encode("1"), .. tokenizer.Encode("2"), .. tokenizer.Encode("3")]);
        tokenizer.Encode("e\u0301").ShouldBe(tokenizer.Encode("\u00E9")); // composed first
        tokenizer.Encode("a<|im_start|>").ShouldBe([.. tokenizer.Encode("a"), 1024]);
        tokenizer.EndTokenId.ShouldBe(1023);
        tokenizer.AddsBeginToken.ShouldBeFalse();
        tokenizer.Decode(tokenizer.Encode(Text)).ShouldBe(Text.Replace("e\u0301", "\u00E9", StringComparison.Ordinal));
    }

    [Fact]
    public void Load_Gpt2Ranks_GiveTheIdsOfTheSameMerges()
    {
        var (ranks, merges) = (Load(("r50k_base.tiktoken", Ranks())), ByteLevelBpe.Read(GoldenFiles.TokenizerJson));

        foreach (var text in GoldenFiles.TortureTexts)
            ranks.Encode(text).Select(id => id == ranks.EndTokenId ? 0 : id + 1).ShouldBe(merges.Encode(text), text); // there the end token is 0
    }

    [Theory]
    [InlineData("other.tiktoken")]
    [InlineData("tokenizer.model")]
    [InlineData("tiktoken.model")]
    public void Load_ListWhoseSplitIsNotKnown_IsRefusedByName(string name) =>
        Should.Throw<InvalidTokenizerException>(() => Load((name, Ranks()))).Message.ShouldStartWith($"{name} is a list of tiktoken ranks");

    [Theory]
    [InlineData("IQ== 0\nnot base64 1\n", "line 2")]
    [InlineData("IQ== 0\n", "256 single bytes")]
    [InlineData("IQ== 0\nIQ== 1\n", "there twice")]
    public void Load_DamagedList_SaysWhere(string list, string message) =>
        Should.Throw<InvalidTokenizerException>(() => Load(("qwen.tiktoken", Encoding.ASCII.GetBytes(list)))).Message.ShouldContain(message);

    [Fact]
    public void Load_Tekken_NumbersSpecialTokensFirstAndBegins()
    {
        var tokenizer = Load(("tekken.json", Tekken(@"\\p{N}| ?\\p{L}+|[^\\p{L}\\p{N}]+")));
        var ranks = Load(("r50k_base.tiktoken", Ranks()));

        tokenizer.Encode("hello there").ShouldBe(ranks.Encode("hello there").Select(id => id + 10));
        tokenizer.Encode("12").ShouldBe([.. tokenizer.Encode("1"), .. tokenizer.Encode("2")]);
        (tokenizer.BeginTokenId, tokenizer.EndTokenId, tokenizer.AddsBeginToken).ShouldBe((1, 2, true));
    }

    [Fact]
    public void Load_TekkenWithASplitThatIsNotTakenOver_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(("tekken.json", Tekken(@"\\p{L}++")))).Message.ShouldStartWith("tekken.json: config.pattern");

    // The golden vocabulary without its end token, in the order of its merges.
    private static List<byte[]> Tokens()
    {
        var vocabulary = JsonNode.Parse(GoldenFiles.TokenizerJson)!["model"]!["vocab"]!.AsObject();
        return [.. vocabulary.OrderBy(entry => (int)entry.Value!).Skip(1).Select(entry => ByteAlphabet.ToBytes(entry.Key))];
    }

    private static byte[] Ranks() =>
        Encoding.ASCII.GetBytes(string.Concat(Tokens().Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}\n")));

    private static byte[] Tekken(string pattern)
    {
        var tokens = string.Join(',', Tokens().Select((token, rank) => $$"""{"rank":{{rank}},"token_bytes":"{{Convert.ToBase64String(token)}}"}"""));
        return Encoding.UTF8.GetBytes(
            $$"""{"config":{"pattern":"{{pattern}}","default_vocab_size":1033,"default_num_special_tokens":10},"vocab":[{{tokens}}]}""");
    }

    private static ITokenizer Load(params (string Name, byte[] Bytes)[] files) =>
        TokenizerFiles.Load(TokenizerSource.Of(files.ToDictionary(file => file.Name, file => file.Bytes)), 4096);
}
