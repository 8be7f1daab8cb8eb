using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

public sealed class TokenizerFilesTests
{
    private static readonly TokenizerUse Bytes = new(Choice: TokenizerChoice.Bytes);

    [Fact]
    public void Load_TokenizerJson_IsReadAndKeepsItsFiles()
    {
        var tokenizer = Load(2048, ("tokenizer.json", GoldenFiles.TokenizerJson), ("tokenizer_config.json", GoldenFiles.TokenizerConfig));

        tokenizer.VocabularySize.ShouldBe(1024);
        tokenizer.EndTokenId.ShouldBe(0);
        tokenizer.Files["tokenizer.json"].ShouldBe(GoldenFiles.TokenizerJson);
        tokenizer.AddsBeginToken.ShouldBeFalse();
    }

    [Fact]
    public void Load_ByteOrderMarks_AreReadOver() =>
        Load(
                2048,
                ("tokenizer.json", [.. "\uFEFF"u8, .. GoldenFiles.TokenizerJson]),
                ("tokenizer_config.json", [.. "\uFEFF"u8, .. GoldenFiles.TokenizerConfig]))
            .Encode("hello").ShouldBe(Load(2048, ("tokenizer.json", GoldenFiles.TokenizerJson)).Encode("hello"));

    [Fact]
    public void Load_MoreIdsThanTheModelHasRows_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(1000, ("tokenizer.json", GoldenFiles.TokenizerJson)))
            .Message.ShouldContain("ids up to 1023, but config.json says vocab_size 1000");

    [Fact]
    public void Load_AddedTokensBeyondTheModelsRows_RunsUntilOneOccurs()
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id":1024,"content":"<|image|>","special":true}"""));
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id":1025,"content":"<|audio|>","special":true}"""));

        var tokenizer = Load(1024, ("tokenizer.json", Encoding.UTF8.GetBytes(json.ToJsonString())));

        tokenizer.VocabularySize.ShouldBe(1024);
        tokenizer.Encode("hello").ShouldBe(ByteLevelBpe.Read(GoldenFiles.TokenizerJson).Encode("hello"));
        var error = Should.Throw<InvalidTokenizerException>(() => tokenizer.Encode("an <|audio|> and an <|image|>"));
        error.Message.ShouldContain("'<|image|>' (id 1024), '<|audio|>' (id 1025)");
    }

    [Fact]
    public void Load_EndTokenBeyondTheModelsRows_IsRefusedByName()
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id":1024,"content":"<|stop|>","special":true}"""));

        Should.Throw<InvalidTokenizerException>(() => Load(
            1024, ("tokenizer.json", Encoding.UTF8.GetBytes(json.ToJsonString())), ("tokenizer_config.json", """{"eos_token":"<|stop|>"}"""u8.ToArray())))
            .Message.ShouldContain("'<|stop|>', which ends a document, has the id 1024");
    }

    [Theory]
    [InlineData(256, 0)]
    [InlineData(300, 256)]
    public void Load_NoTokenizerFileAndBytesAskedFor_TakesBytes(int rows, int end)
    {
        var tokenizer = TokenizerFiles.Load(Source(("config.json", "{}"u8.ToArray()), ("generation_config.json", "{}"u8.ToArray())), rows, null, Bytes);

        tokenizer.ShouldBeOfType<ByteTokenizer>().EndTokenId.ShouldBe(end);
        tokenizer.Encode("é!").ShouldBe([0xC3, 0xA9, 0x21]);
        tokenizer.Decode([0xC3, 0xA9, 0x21, end]).ShouldBe("é!");
        tokenizer.Files.ShouldBeEmpty();
    }

    [Fact]
    public void Load_NoTokenizerFile_IsRefusedWithTheWayOut() =>
        Should.Throw<InvalidTokenizerException>(() => Load(300)).Message.ShouldContain("'tokenizer: bytes'");

    [Fact]
    public void Load_BytesAskedForAndTooFewRows_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => TokenizerFiles.Load(Source(), 200, null, Bytes)).Message.ShouldContain("vocab_size is 200");

    [Theory]
    [InlineData("tokenizer_config.json")]
    [InlineData("special_tokens_map.json")]
    [InlineData("tokenization_own.py")]
    [InlineData("vocab.json")]
    [InlineData("merges.txt")]
    [InlineData("source.spm")]
    [InlineData("ice_text.model")]
    public void Load_FileOfATokenizerThatIsNotRead_NeverBecomesBytes(string name)
    {
        var source = Source((name, "{}"u8.ToArray()));

        Should.Throw<InvalidTokenizerException>(() => TokenizerFiles.Load(source, 300, null, Bytes)).Message.ShouldStartWith($"The model has {name}, but");
    }

    [Fact]
    public void Load_BytesAskedForBesideATokenizer_TakesTheTokenizer() =>
        TokenizerFiles.Load(Source(("tokenizer.json", GoldenFiles.TokenizerJson)), 1024, null, Bytes).ShouldBeOfType<ByteLevelBpe>();

    [Fact]
    public void OfBytes_WrittenAndReadAgain_GivesBytes()
    {
        var written = ByteLevelBpe.OfBytes();

        var read = Load(257, [.. written.Files.Select(file => (file.Key, file.Value))]);

        read.Encode("é!\n x").ShouldBe(Encoding.UTF8.GetBytes("é!\n x").Select(value => (int)value));
        (read.VocabularySize, read.EndTokenId, read.Digest).ShouldBe((257, 256, written.Digest));
    }

    [Fact]
    public void Load_WordPieceList_IsReadAsBert()
    {
        var words = Encoding.UTF8.GetBytes(string.Join('\n', ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "the", "."]) + "\n");

        var tokenizer = Load(300, ("vocab.txt", words));

        tokenizer.Encode("The playing.").ShouldBe([6, 4, 5, 7]);
        tokenizer.Encode("zzz").ShouldBe([1]);
        tokenizer.EndTokenId.ShouldBe(3);
        var config = """{"tokenizer_class":"EsmTokenizer"}"""u8.ToArray();
        Should.Throw<InvalidTokenizerException>(() => Load(300, ("vocab.txt", words), ("tokenizer_config.json", config)))
            .Message.ShouldContain("'EsmTokenizer'");
    }

    [Theory]
    [InlineData("""{"eos_token":"he"}""")]
    [InlineData("""{"eos_token":{"content":"he","lstrip":false}}""")]
    public void Load_ConfigurationNamesTheEnd_IsTaken(string configuration)
    {
        var tokenizer = Load(1024, ("tokenizer.json", GoldenFiles.TokenizerJson), ("tokenizer_config.json", Encoding.UTF8.GetBytes(configuration)));

        tokenizer.EndTokenId.ShouldBe(tokenizer.Encode("he").Single());
    }

    [Fact]
    public void Load_EndTokenOutsideTheVocabulary_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(
            1024, ("tokenizer.json", GoldenFiles.TokenizerJson), ("tokenizer_config.json", """{"eos_token":"</none>"}"""u8.ToArray())))
            .Message.ShouldContain("eos_token '</none>'");

    [Fact]
    public void Load_ModelNamesTheEnd_IsTakenWhenTheTokenizerHasIt()
    {
        var source = Source(("tokenizer.json", GoldenFiles.TokenizerJson));

        TokenizerFiles.Load(source, 1024, 7).EndTokenId.ShouldBe(7);
        TokenizerFiles.Load(source, 1024, 50279).EndTokenId.ShouldBe(0);
    }

    private static ITokenizer Load(int rows, params (string Name, byte[] Bytes)[] files) => TokenizerFiles.Load(Source(files), rows);

    private static TokenizerSource Source(params (string Name, byte[] Bytes)[] files) =>
        TokenizerSource.Of(files.ToDictionary(file => file.Name, file => file.Bytes));
}
