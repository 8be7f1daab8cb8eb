using System.Text.Json.Nodes;

namespace Espalier.TestKit.Families;

/// <summary>A tokenizer whose tokens are bytes, spelled as Hugging Face's library reads it, without any of our writers.</summary>
public static class ByteTokenizerFiles
{
    private const string End = "<|endoftext|>";

    /// <summary>Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c>: ids 0 to 255 are bytes, 256 ends a document.</summary>
    public static void Write(string folder)
    {
        var vocabulary = new JsonObject();
        var next = 256;
        for (var value = 0; value < 256; value++)
            vocabulary[((char)(value is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174 ? value : next++)).ToString()] = value;
        vocabulary[End] = 256;
        JsonObject byteLevel = new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(new JsonObject
            {
                ["id"] = 256, ["content"] = End, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
            }),
            ["normalizer"] = null,
            ["pre_tokenizer"] = byteLevel,
            ["post_processor"] = null,
            ["decoder"] = byteLevel.DeepClone(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        }.ToJsonString());
        File.WriteAllText(
            Path.Combine(folder, "tokenizer_config.json"), $$"""{"tokenizer_class":"PreTrainedTokenizerFast","eos_token":"{{End}}"}""");
    }
}
