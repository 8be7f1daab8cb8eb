using System.Text;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

public sealed class TokenizerFilesTests
{
    [Fact]
    public void Load_TokenizerJson_IsReadAndKeepsItsFiles()
    {
        var tokenizer = Load(2048, ("tokenizer.json", GoldenFiles.TokenizerJson), ("tokenizer_config.json", GoldenFiles.TokenizerConfig));

        tokenizer.VocabularySize.ShouldBe(1024);
        tokenizer.EndTokenId.ShouldBe(0);
        tokenizer.Files["tokenizer.json"].ShouldBe(GoldenFiles.TokenizerJson);
    }

    [Fact]
    public void Load_MoreIdsThanTheModelHasRows_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(1000, ("tokenizer.json", GoldenFiles.TokenizerJson)))
            .Message.ShouldContain("ids up to 1023, but config.json says vocab_size 1000");

    [Theory]
    [InlineData(256, 0)]
    [InlineData(300, 256)]
    public void Load_NoTokenizerFile_TakesBytes(int rows, int end)
    {
        var tokenizer = Load(rows);

        tokenizer.ShouldBeOfType<ByteTokenizer>().EndTokenId.ShouldBe(end);
        tokenizer.Encode("é!").ShouldBe([0xC3, 0xA9, 0x21]);
        tokenizer.Decode([0xC3, 0xA9, 0x21, end]).ShouldBe("é!");
        tokenizer.Files.ShouldBeEmpty();
    }

    [Fact]
    public void Load_NoTokenizerFileAndTooFewRows_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(200)).Message.ShouldContain("vocab_size is 200");

    [Fact]
    public void Load_SentencePiece_IsRefusedByName() =>
        Should.Throw<InvalidTokenizerException>(() => Load(32000, ("tokenizer.model", [1, 2]))).Message.ShouldContain("tokenizer.model is not supported");

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
        Should.Throw<InvalidTokenizerException>(() => Load(1024, ("tokenizer.json", GoldenFiles.TokenizerJson), ("tokenizer_config.json", """{"eos_token":"</none>"}"""u8.ToArray())))
            .Message.ShouldContain("eos_token '</none>'");

    [Fact]
    public void Load_ModelNamesTheEnd_IsTakenWhenTheTokenizerHasIt()
    {
        var files = ("tokenizer.json", GoldenFiles.TokenizerJson);

        LoadWithEnd(7, files).EndTokenId.ShouldBe(7);
        LoadWithEnd(50279, files).EndTokenId.ShouldBe(0);
    }

    private static ITokenizer LoadWithEnd(int end, params (string Name, byte[] Bytes)[] files) =>
        TokenizerFiles.Load(name => files.FirstOrDefault(f => f.Name == name).Bytes, 1024, end);

    private static ITokenizer Load(int rows, params (string Name, byte[] Bytes)[] files) =>
        TokenizerFiles.Load(name => files.FirstOrDefault(f => f.Name == name).Bytes, rows);
}
