using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

/// <summary>Whether a text begins with a token of its own: by configuration, post-processor, class, or the task's word.</summary>
public sealed class BosTests
{
    private const string Template = """
        {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],
         "special_tokens":{"<s>":{"id":"<s>","ids":[1024],"tokens":["<s>"]}}}
        """;

    [Theory]
    [InlineData(null, "{}", null, false)]
    [InlineData(Template, "{}", null, true)]
    [InlineData("""{"type":"Sequence","processors":[{"type":"ByteLevel"},TEMPLATE]}""", """{"tokenizer_class":"PreTrainedTokenizerFast"}""", null, true)]
    [InlineData("""{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",1024]}""", "{}", null, true)]
    [InlineData("""{"type":"ByteLevel"}""", "{}", null, false)]
    [InlineData(Template, """{"add_bos_token":false}""", null, false)]
    [InlineData(null, """{"add_bos_token":true,"bos_token":"<s>"}""", null, true)]
    [InlineData(null, """{"add_bos_token":true,"bos_token":{"content":"<s>"}}""", null, true)]
    [InlineData(null, """{"tokenizer_class":"LlamaTokenizerFast"}""", null, true)]
    [InlineData(null, """{"tokenizer_class":"LlamaTokenizerFast","add_bos_token":false}""", null, false)]
    [InlineData(null, """{"tokenizer_class":"GPT2Tokenizer","bos_token":"<s>"}""", null, false)]
    [InlineData(null, """{"tokenizer_class":"PreTrainedTokenizerFast","bos_token":"<s>"}""", "llama", false)]
    [InlineData(null, "{}", "deepseek_v2", true)]
    [InlineData(null, "{}", "qwen2_moe", false)]
    public void Load_Conventions_AreThoseOfTransformers(string? processor, string configuration, string? modelType, bool adds)
    {
        var tokenizer = Load(processor, configuration, modelType);

        tokenizer.AddsBeginToken.ShouldBe(adds);
        tokenizer.EncodeDocument("he").ShouldBe([.. adds ? [1024] : (int[])[], .. tokenizer.Encode("he"), 0]);
    }

    [Fact]
    public void EncodeFromStart_TextThatBeginsSo_GetsNoSecondToken() =>
        Load(Template, "{}", null).EncodeFromStart("<s>he").ShouldBe(Load(Template, "{}", null).Encode("<s>he"));

    [Fact]
    public void Load_TasksWord_GoesBeforeTheConfiguration()
    {
        Load(Template, "{}", null, BosUse.Never).EncodeFromStart("he").ShouldBe(Load(null, "{}", null).Encode("he"));
        Load(null, """{"bos_token":"<s>"}""", null, BosUse.Always).EncodeFromStart("he")[0].ShouldBe(1024);
        Load(Template, "{}", null, BosUse.Tokenizer).AddsBeginToken.ShouldBeTrue();
    }

    [Fact]
    public void Load_AlwaysWithoutSuchAToken_IsRefused() =>
        Should.Throw<InvalidTokenizerException>(() => Load(null, "{}", null, BosUse.Always)).Message.ShouldContain("no beginning-of-text token");

    private static ITokenizer Load(string? processor, string configuration, string? modelType, BosUse use = BosUse.Tokenizer)
    {
        var json = JsonNode.Parse(GoldenFiles.TokenizerJson)!;
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id":1024,"content":"<s>","special":true}"""));
        json["post_processor"] = processor is null ? null : JsonNode.Parse(processor.Replace("TEMPLATE", Template, StringComparison.Ordinal));
        var files = new Dictionary<string, byte[]>
        {
            ["tokenizer.json"] = Encoding.UTF8.GetBytes(json.ToJsonString()),
            ["tokenizer_config.json"] = Encoding.UTF8.GetBytes(configuration),
        };
        if (modelType is not null)
            files["config.json"] = Encoding.UTF8.GetBytes($$"""{"model_type":"{{modelType}}"}""");
        return TokenizerFiles.Load(TokenizerSource.Of(files), 2048, null, new TokenizerUse(use));
    }
}
