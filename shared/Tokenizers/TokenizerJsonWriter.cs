using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>Writes the two files that Hugging Face libraries load. Merges are spelled "a b", which every version reads.</summary>
internal static class TokenizerJsonWriter
{
    private static readonly JsonWriterOptions Options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The files of a definition, by name.</summary>
    public static IReadOnlyDictionary<string, byte[]> Write(BpeDefinition definition, string endToken) => new Dictionary<string, byte[]>
    {
        [TokenizerFiles.Tokenizer] = Json(writer => WriteTokenizer(writer, definition)),
        [TokenizerFiles.Configuration] = Json(writer => WriteConfiguration(writer, definition, endToken)),
    };

    private static void WriteTokenizer(Utf8JsonWriter writer, BpeDefinition definition)
    {
        if (definition.Pattern != SplitPattern.Gpt2 || definition.Cuts is not null || definition.Compose)
            throw new NotSupportedException("Only the GPT-2 split without normalization is written; other tokenizers keep the file they came with.");

        writer.WriteString("version", "1.0");
        writer.WriteNull("truncation");
        writer.WriteNull("padding");
        writer.WriteStartArray("added_tokens");
        foreach (var token in definition.AddedTokens.OrderBy(t => t.Id))
            WriteAddedToken(writer, token);
        writer.WriteEndArray();
        writer.WriteNull("normalizer");
        WriteByteLevel(writer, "pre_tokenizer", definition.AddPrefixSpace);
        writer.WriteNull("post_processor");
        WriteByteLevel(writer, "decoder", definition.AddPrefixSpace);
        WriteModel(writer, definition);
    }

    private static void WriteModel(Utf8JsonWriter writer, BpeDefinition definition)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        writer.WriteNull("dropout");
        writer.WriteNull("unk_token");
        writer.WriteNull("continuing_subword_prefix");
        writer.WriteNull("end_of_word_suffix");
        writer.WriteBoolean("fuse_unk", false);
        writer.WriteBoolean("byte_fallback", false);
        writer.WriteBoolean("ignore_merges", definition.IgnoreMerges);
        writer.WriteStartObject("vocab");
        foreach (var (token, id) in definition.Vocabulary.OrderBy(entry => entry.Value))
            writer.WriteNumber(token, id);
        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach (var (left, right) in definition.Merges)
            writer.WriteStringValue($"{left} {right}");
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteAddedToken(Utf8JsonWriter writer, AddedToken token)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", token.Id);
        writer.WriteString("content", token.Content);
        writer.WriteBoolean("single_word", token.SingleWord);
        writer.WriteBoolean("lstrip", token.StripLeft);
        writer.WriteBoolean("rstrip", token.StripRight);
        writer.WriteBoolean("normalized", token.Normalized);
        writer.WriteBoolean("special", token.Special);
        writer.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter writer, string name, bool addPrefixSpace)
    {
        writer.WriteStartObject(name);
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
        writer.WriteBoolean("trim_offsets", true);
        writer.WriteBoolean("use_regex", true);
        writer.WriteEndObject();
    }

    private static void WriteConfiguration(Utf8JsonWriter writer, BpeDefinition definition, string endToken)
    {
        writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        writer.WriteNull("bos_token");
        writer.WriteString("eos_token", endToken);
        writer.WriteString("pad_token", endToken);
        writer.WriteNull("unk_token");
        writer.WriteBoolean("add_prefix_space", definition.AddPrefixSpace);
        writer.WriteBoolean("clean_up_tokenization_spaces", false);
    }

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }
        return [.. buffer.WrittenSpan, .. "\n"u8];
    }
}
