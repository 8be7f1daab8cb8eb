using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

/// <summary>The older pair of files, with what the files beside it say about class and special tokens.</summary>
public sealed class VocabularyAndMergesTests
{
    private const string QwenConfiguration = """
        {"tokenizer_class":"Qwen2Tokenizer","eos_token":"<|endoftext|>","pad_token":"<|endoftext|>","add_prefix_space":false,
         "added_tokens_decoder":{
           "1023":{"content":"<|endoftext|>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"special":true},
           "1024":{"content":"<|im_start|>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"special":true}}}
        """;

    [Fact]
    public void Load_Qwen2_SplitsDigitsAndComposes()
    {
        var tokenizer = Load(("tokenizer_config.json", QwenConfiguration));

        tokenizer.Encode("123").ShouldBe([.. tokenizer.Encode("1"), .. tokenizer.Encode("2"), .. tokenizer.Encode("3")]);
        tokenizer.Encode("e\u0301").ShouldBe(tokenizer.Encode("\u00E9"));
        tokenizer.Encode("a<|im_start|>b").ShouldBe([.. tokenizer.Encode("a"), 1024, .. tokenizer.Encode("b")]);
        (tokenizer.EndTokenId, tokenizer.AddsBeginToken).ShouldBe((1023, false));
    }

    [Fact]
    public void Load_Qwen2_GivesTheIdsOfTheSameTokenizerAsJson()
    {
        var pair = Load(("tokenizer_config.json", QwenConfiguration));
        var json = TokenizerFiles.Read(pair.Files["tokenizer.json"], pair.Files["tokenizer_config.json"]);
        var library = PackagedTokenizer.Read(pair.Files["tokenizer.json"], TokenizerSettings.Read(TokenizerSource.Of(pair.Files), null), pair.Files);

        foreach (var text in GoldenFiles.TortureTexts)
        {
            json.Encode(text).ShouldBe(pair.Encode(text), text);
            library.Encode(text).ShouldBe(pair.Encode(text), text);
        }
    }

    [Fact]
    public void Load_ModelTypeAlone_ChoosesTheClass()
    {
        var qwen = Load(("config.json", """{"model_type":"qwen2_moe"}"""), ("added_tokens.json", """{"<|endoftext|>":1023}"""));

        qwen.Encode("12").ShouldBe([.. qwen.Encode("1"), .. qwen.Encode("2")]);
        qwen.EndTokenId.ShouldBe(1023);
    }

    [Fact]
    public void Load_AddedTokensFile_IsHonoured()
    {
        var tokenizer = Load(
            ("tokenizer_config.json", """{"tokenizer_class":"GPT2Tokenizer"}"""),
            ("special_tokens_map.json", """{"eos_token":"<|im_end|>","bos_token":{"content":"<|begin|>"}}"""),
            ("added_tokens.json", """{"<|im_end|>":1024,"<|begin|>":1025,"<|word|>":1026}"""));

        (tokenizer.EndTokenId, tokenizer.BeginTokenId, tokenizer.AddsBeginToken).ShouldBe((1024, 1025, false));
        tokenizer.Encode("a<|word|>").ShouldBe([.. tokenizer.Encode("a"), 1026]);
    }

    [Fact]
    public void Load_EndTokenThatNoFileNumbers_ComesAfterTheVocabulary() =>
        Load(("tokenizer_config.json", """{"tokenizer_class":"GPT2Tokenizer","eos_token":"<|stop|>"}""")).EndTokenId.ShouldBe(1024);

    [Theory]
    [InlineData("""{"tokenizer_class":"CLIPTokenizer"}""", null, "tokenizer_class 'CLIPTokenizer'")]
    [InlineData("""{}""", """{"model_type":"phi3"}""", "the model type 'phi3'")]
    public void Load_ClassWhoseSplitIsNotKnown_IsRefusedByName(string configuration, string? model, string message)
    {
        (string, string)[] files = [("tokenizer_config.json", configuration), .. model is null ? [] : new[] { ("config.json", model) }];

        Should.Throw<InvalidTokenizerException>(() => Load(files)).Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("added_tokens.json", """{"x":-1}""", "added_tokens.json: 'x' is -1")]
    [InlineData("added_tokens.json", """{"x":7,"y":7}""", "gives the id 7 to 'x' and 'y'")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder":{"a":{}}}""", "has the id 'a'")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder":{"7":{}}}""", "the token 7 needs a content")]
    [InlineData("special_tokens_map.json", "[]", "special_tokens_map.json is Array")]
    public void Load_DamagedFileBesideIt_NamesFileAndEntry(string name, string text, string message) =>
        Should.Throw<InvalidTokenizerException>(() => Load((name, text))).Message.ShouldContain(message);

    // The golden vocabulary: 0 is its end token, which is renamed here so that only the files beside it name one; 1023 are left.
    private static ITokenizer Load(params (string Name, string Text)[] files)
    {
        var model = JsonNode.Parse(GoldenFiles.TokenizerJson)!["model"]!;
        var vocabulary = new JsonObject(model["vocab"]!.AsObject().Where(entry => (int)entry.Value! > 0)
            .Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Key, (int)entry.Value! - 1)));
        if (!files.Any(file => file.Text.Contains("1023", StringComparison.Ordinal)))
            vocabulary["unused"] = 1023;
        var merges = "#version: 0.2\n" + string.Join('\n', model["merges"]!.AsArray().Select(merge => (string)merge!)) + "\n";
        return TokenizerFiles.Load(
            TokenizerSource.Of(new Dictionary<string, byte[]>(files.Select(file => KeyValuePair.Create(file.Name, Encoding.UTF8.GetBytes(file.Text))))
            {
                ["vocab.json"] = Encoding.UTF8.GetBytes(vocabulary.ToJsonString()),
                ["merges.txt"] = Encoding.UTF8.GetBytes(merges),
            }),
            2048);
    }
}
