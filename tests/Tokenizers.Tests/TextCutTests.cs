using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

/// <summary>Pre-tokenizers made of several steps, beside Hugging Face's library; make-cuts.mjs says where the pieces come from.</summary>
public sealed class TextCutTests
{
    private static readonly JsonNode Golden = JsonNode.Parse(GoldenFiles.Read("golden-cuts.json"))!;

    private static readonly string[] Texts = Golden["texts"].Deserialize<string[]>()!;

    public static TheoryData<string> Variants => [.. Golden["variants"]!.AsObject().Select(v => v.Key)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Apply_TortureText_GivesTheReferencePieces(string variant)
    {
        var cuts = TokenizerJsonReader.Read(Patched(variant)).Cuts.ShouldNotBeNull();
        var expected = Golden["variants"]![variant]!["pieces"].Deserialize<string[][]>()!;

        for (var i = 0; i < Texts.Length; i++)
            TextCut.Apply(cuts, Texts[i]).ShouldBe(expected[i], $"text {i}: {JsonValue.Create(Texts[i])}");
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Encode_TortureAndRandomText_GivesTheLibrarysIds(string variant)
    {
        var (tokenizer, library) = (ByteLevelBpe.Read(Patched(variant), GoldenFiles.TokenizerConfig), new HuggingFaceOracle(Patched(variant)));

        foreach (var text in Texts)
            tokenizer.Encode(text).ShouldBe(library.Encode(text), JsonValue.Create(text).ToJsonString());
        RandomTexts.Compare(tokenizer.Encode, library.Encode);
    }

    [Theory]
    [InlineData(@"\w+", @"'\w' is not supported")]
    [InlineData(@"(a)\1", @"'\1' is not supported")]
    [InlineData(@"a++b", "possessive quantifiers are not supported")]
    [InlineData(@"(?i)a", "begins a group of a kind that is not supported")]
    [InlineData(@"[[:alpha:]]", "a class within a class")]
    [InlineData(@"[a-z&&[b]]", "a class within a class")]
    [InlineData(@"[a-", "a class without its ']'")]
    [InlineData(@"[z-a]", "a range that runs backwards")]
    [InlineData(@"\p{Greek}", @"'\p{Greek}' is not a general category")]
    [InlineData(@"\p{L", "needs a category in braces")]
    [InlineData(@"(a", "is not an expression that is understood")]
    [InlineData(@"a\", "ends in a backslash")]
    [InlineData(@"\x{110000}", "an escape that is not a character")]
    public void Read_ExpressionThatMeansSomethingElseHere_IsRefusedWithItsPlace(string expression, string problem)
    {
        var message = Should.Throw<InvalidTokenizerException>(() => ByteLevelBpe.Read(With(expression))).Message;

        message.ShouldStartWith("tokenizer.json: pre_tokenizer.pretokenizers[0].pattern '");
        message.ShouldContain(problem);
    }

    [Fact]
    public void Read_ExpressionThatIsTooLong_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => ByteLevelBpe.Read(With(new string('a', (1 << 14) + 1)))).Message.ShouldContain("at most 16384 are read");

    private static byte[] With(string expression)
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = expression }, ["behavior"] = "Isolated", ["invert"] = false },
                new JsonObject { ["type"] = "ByteLevel", ["use_regex"] = false, ["add_prefix_space"] = false }),
        };
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    private static byte[] Patched(string variant)
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["pre_tokenizer"] = Golden["variants"]![variant]!["pre_tokenizer"]!.DeepClone();
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }
}
