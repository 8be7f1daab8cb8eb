using System.Text;
using System.Text.Json.Nodes;
using HuggingFace = Tokenizers.DotNet.Tokenizer;

namespace Espalier.Tokenizers.Tests;

/// <summary>Hugging Face's own library on a <c>tokenizer.json</c>: what every reader of ours is compared with.</summary>
internal sealed class HuggingFaceOracle
{
    private readonly HuggingFace _library;

    public HuggingFaceOracle(byte[] tokenizerJson)
    {
        var json = JsonNode.Parse(tokenizerJson)!;
        json["post_processor"] = null; // the library's Encode always adds special tokens
        var path = Path.Combine(Path.GetTempPath(), $"oracle-{Guid.NewGuid():n}.json");
        try
        {
            File.WriteAllText(path, json.ToJsonString());
            _library = new HuggingFace(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The ids of a text, without those of special tokens around it.</summary>
    public int[] Encode(string text) => [.. _library.Encode(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))).Select(id => (int)id)];

    /// <summary>The text of ids; special tokens are left out.</summary>
    public string Decode(int[] ids) => ids.Length == 0 ? "" : _library.Decode([.. ids.Select(id => (uint)id)]);
}
