using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

/// <summary>Models that the reference library trained, and the ids that it gives; make-sentencepiece.py made both.</summary>
public sealed class SentencePieceTokenizerTests
{
    private static readonly JsonNode Golden = JsonNode.Parse(GoldenFiles.Read("golden-sentencepiece.json"))!;

    [Theory]
    [InlineData("llama")]
    [InlineData("bpe")]
    [InlineData("unigram")]
    [InlineData("unigram-suffix")]
    public void Encode_EveryText_GivesTheReferenceIds(string model)
    {
        var tokenizer = Load(model);
        var texts = Golden["texts"].Deserialize<string[]>()!;
        var expected = GoldenFiles.Ids(Golden["ids"]![model]!);

        for (var i = 0; i < texts.Length; i++)
            tokenizer.Encode(texts[i]).ShouldBe(expected[i], texts[i]);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("bpe")]
    public void Decode_TextOfTheTraining_GivesItBack(string model)
    {
        var tokenizer = Load(model);
        const string Text = "the quick answer";

        tokenizer.Decode(tokenizer.Encode(Text)).ShouldBe(Text);
    }

    [Fact]
    public void Load_LlamaModel_BeginsAndEndsAsItsClassDoes()
    {
        var tokenizer = Load("llama", ("tokenizer_config.json", """{"tokenizer_class":"LlamaTokenizer"}"""));

        tokenizer.BeginTokenId.ShouldBe(1);
        tokenizer.EndTokenId.ShouldBe(2);
        tokenizer.EncodeDocument("a")[..1].ShouldBe([1]);
        Load("llama").AddsBeginToken.ShouldBeFalse(); // neither class nor model type says so
        Load("llama", ("config.json", """{"model_type":"mixtral"}""")).AddsBeginToken.ShouldBeTrue();
        Load("llama", ("tokenizer_config.json", """{"tokenizer_class":"LlamaTokenizer","add_bos_token":false}""")).AddsBeginToken.ShouldBeFalse();
    }

    [Fact]
    public void Encode_AddedTokens_AreMatchedAndThePartsAfterThemPrefixedOnlyInLegacyModels()
    {
        const string Configuration =
            """{"tokenizer_class":"LlamaTokenizer","legacy":LEGACY,"added_tokens_decoder":{"700":{"content":"<|turn|>","special":true}}}""";
        var (legacy, modern) = (Load("llama", ("tokenizer_config.json", Configuration.Replace("LEGACY", "true", StringComparison.Ordinal))),
            Load("llama", ("tokenizer_config.json", Configuration.Replace("LEGACY", "false", StringComparison.Ordinal))));

        legacy.Encode("the<|turn|>the").ShouldBe([.. legacy.Encode("the"), 700, .. legacy.Encode("the")]);
        modern.Encode("the<|turn|>the")[^3..].ShouldNotBe(legacy.Encode("the<|turn|>the")[^3..]);
        modern.Encode("<|turn|> the").ShouldBe([700, .. modern.Encode("the")]);
        legacy.Encode("a</s>b").ShouldContain(2);
    }

    [Fact]
    public void Load_OtherNames_AreReadToo() =>
        TokenizerFiles.Load(Source(("spiece.model", GoldenFiles.Read("spm-unigram.model"))), 320).Encode("the").ShouldBe(Load("unigram").Encode("the"));

    [Theory]
    [InlineData("XLMRobertaTokenizer", "numbers the pieces of tokenizer.model in its own way")]
    public void Load_ClassThatRenumbers_IsRefused(string tokenizerClass, string message) =>
        Should.Throw<InvalidTokenizerException>(() => Load("unigram", ("tokenizer_config.json", $$"""{"tokenizer_class":"{{tokenizerClass}}"}""")))
            .Message.ShouldContain(message);

    [Fact]
    public void Load_DamagedModel_IsRefusedWithoutAnotherException()
    {
        var model = GoldenFiles.Read("spm-bpe.model");
        var read = 0;

        for (var seed = 0; seed < 400; seed++)
        {
            var damaged = model.ToArray();
            var at = (int)(seed * 2654435761L % damaged.Length);
            damaged[at] ^= (byte)(1 << seed % 8);
            try
            {
                TokenizerFiles.Load(Source(("tokenizer.model", damaged[..(seed % 3 == 0 ? at : damaged.Length)])), 4096).Encode("the fine office ①");
                read++;
            }
            catch (InvalidTokenizerException exception)
            {
                exception.Message.ShouldContain("tokenizer.model");
            }
        }

        read.ShouldBeInRange(1, 399);
    }

    [Theory]
    [InlineData(new byte[] { 1, 2 }, "is not a SentencePiece model")]
    [InlineData(new byte[0], "has no pieces")]
    [InlineData(new byte[] { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F }, "are announced at byte")]
    public void Load_NotAModel_SaysSo(byte[] bytes, string message) =>
        Should.Throw<InvalidTokenizerException>(() => TokenizerFiles.Load(Source(("tokenizer.model", bytes)), 4096)).Message.ShouldContain(message);

    private static ITokenizer Load(string model, params (string Name, string Text)[] files) =>
        TokenizerFiles.Load(
            Source([("tokenizer.model", GoldenFiles.Read($"spm-{model}.model")), .. files.Select(file => (file.Name, Encoding.UTF8.GetBytes(file.Text)))]),
            4096);

    private static TokenizerSource Source(params (string Name, byte[] Bytes)[] files) =>
        TokenizerSource.Of(files.ToDictionary(file => file.Name, file => file.Bytes));
}
