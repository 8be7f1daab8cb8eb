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
        if (definition.Cuts is not null || definition.MergesBySpelling)
            throw new NotSupportedException("Only known splits with a list of merges are written; other tokenizers keep the files they came with.");

        writer.WriteString("version", "1.0");
        writer.WriteNull("truncation");
        writer.WriteNull("padding");
        writer.WriteStartArray("added_tokens");
        foreach (var token in definition.AddedTokens.OrderBy(t => t.Id))
            WriteAddedToken(writer, token);
        writer.WriteEndArray();
        WriteNormalizer(writer, definition.Compose);
        WritePreTokenizer(writer, definition);
        writer.WriteNull("post_processor");
        writer.WritePropertyName("decoder");
        WriteByteLevel(writer, definition.AddPrefixSpace);
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

    private static void WriteNormalizer(Utf8JsonWriter writer, bool compose)
    {
        if (!compose)
        {
            writer.WriteNull("normalizer");
            return;
        }
        writer.WriteStartObject("normalizer");
        writer.WriteString("type", "NFC");
        writer.WriteEndObject();
    }

    private static void WritePreTokenizer(Utf8JsonWriter writer, BpeDefinition definition)
    {
        writer.WritePropertyName("pre_tokenizer");
        if (definition.Pattern == SplitPattern.Gpt2)
        {
            WriteByteLevel(writer, definition.AddPrefixSpace);
            return;
        }
        writer.WriteStartObject();
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("pretokenizers");
        writer.WriteStartObject();
        writer.WriteString("type", "Split");
        writer.WriteStartObject("pattern");
        writer.WriteString("Regex", SplitPatterns.ExpressionOf(definition.Pattern));
        writer.WriteEndObject();
        writer.WriteString("behavior", "Isolated");
        writer.WriteBoolean("invert", false);
        writer.WriteEndObject();
        WriteByteLevel(writer, addPrefixSpace: false, useRegex: false);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter writer, bool addPrefixSpace, bool useRegex = true)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
        writer.WriteBoolean("trim_offsets", true);
        writer.WriteBoolean("use_regex", useRegex);
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
