using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>
/// The SentencePiece-like kinds: spaces become a mark in the normalizer (Prepend and Replace) or in the pre-tokenizer
/// (Metaspace), characters without a token become byte tokens or the unknown token.
/// </summary>
internal static partial class TokenizerJsonReader
{
    // Byte-level files say so in the pre-tokenizer; these have Metaspace or none there.
    private static bool IsMetaspace(JsonElement root)
    {
        if (Section(root, "pre_tokenizer") is { } section)
            return Steps(section, "pretokenizers", "pre_tokenizer").All(step => Text(step, "type") == "Metaspace");
        return Section(root, "decoder") is not { } decoder || Steps(decoder, "decoders", "decoder").All(step => Text(step, "type") != "ByteLevel");
    }

    private static MetaspaceRules ReadMetaspace(JsonElement root, bool byteFallback)
    {
        var rules = ReadMetaspaceDecoder(Section(root, "decoder")) with
        {
            Normalizer = ReadNormalizers(Section(root, "normalizer")),
            ByteFallback = byteFallback,
        };
        if (Section(root, "pre_tokenizer") is not { } section)
            return rules;
        var steps = Steps(section, "pretokenizers", "pre_tokenizer");
        if (steps.Count != 1)
            throw Invalid("pre_tokenizer", "must be one Metaspace");
        return rules with
        {
            Mark = Text(steps[0], "replacement") is { Length: > 0 } mark ? mark : throw Invalid("pre_tokenizer.replacement", "is missing"),
            Prepend = ReadPrepend(steps[0], "pre_tokenizer"),
            Splits = Flag(steps[0], "split", true, "pre_tokenizer"),
        };
    }

    private static PrependScheme ReadPrepend(JsonElement step, string place)
    {
        var old = Flag(step, "add_prefix_space", true, place);
        var scheme = Text(step, "prepend_scheme") switch
        {
            null => old ? PrependScheme.Always : PrependScheme.Never,
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw Invalid($"{place}.prepend_scheme", $"is '{other}'; expected always, first or never"),
        };
        return old || scheme == PrependScheme.Never ? scheme
            : throw Invalid($"{place}.add_prefix_space", "is false, which contradicts prepend_scheme");
    }

    private static List<Func<string, string>> ReadNormalizers(JsonElement? normalizer) =>
        normalizer is { } section ? [.. Steps(section, "normalizers", "normalizer").Select(ReadNormalizer)] : [];

    private static Func<string, string> ReadNormalizer(JsonElement step)
    {
        switch (Text(step, "type"))
        {
            case "NFC":
                return CanonicalComposition.Normalize;
            case "Prepend":
                var prefix = Text(step, "prepend") ?? throw Invalid("normalizer.prepend", "is missing");
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace" when Section(step, "pattern") is { } pattern && Text(pattern, "Regex") is not null:
                throw Unsupported("normalizer", "'Replace' by an expression is not supported");
            case "Replace":
                var (from, to) = ReadReplace(step, "normalizer");
                return text => text.Replace(from, to, StringComparison.Ordinal);
            case var type:
                throw Unsupported("normalizer", $"'{type}' is not supported; Prepend, Replace with a fixed text, NFC and Sequence are");
        }
    }

    private static (string From, string To) ReadReplace(JsonElement step, string place) =>
        Section(step, "pattern") is { } pattern && Text(pattern, "String") is { Length: > 0 } from && Text(step, "content") is { } to
            ? (from, to)
            : throw Invalid($"{place}.pattern", "of Replace is not a fixed text {\"String\": ...} with a content");

    private static MetaspaceRules ReadMetaspaceDecoder(JsonElement? decoder)
    {
        var rules = new MetaspaceRules();
        if (decoder is not { } section)
            return rules;
        foreach (var step in Steps(section, "decoders", "decoder"))
        {
            rules = Text(step, "type") switch
            {
                "Replace" => rules with { DecoderReplaces = [.. rules.DecoderReplaces, ReadReplace(step, "decoder")] },
                "ByteFallback" => rules with { DecoderReadsBytes = true },
                "Fuse" => rules,
                "Strip" => rules with { DecoderStrip = ReadStrip(step) },
                "Metaspace" => rules with
                {
                    DecoderMark = Text(step, "replacement") is { Length: > 0 } mark ? mark : throw Invalid("decoder.replacement", "is missing"),
                    DecoderKeepsFirst = ReadPrepend(step, "decoder") == PrependScheme.Never,
                },
                var type => throw Invalid("decoder", $"'{type}' is not supported; Replace, ByteFallback, Fuse, Strip and Metaspace are"),
            };
        }
        return rules;
    }

    private static (char, int) ReadStrip(JsonElement step)
    {
        var stop = step.TryGetProperty("stop", out var end) && end.ValueKind == JsonValueKind.Number ? end.GetDouble() : 0;
        if (Text(step, "content") is not { Length: 1 } content || stop != 0 || !step.TryGetProperty("start", out var start)
            || start.ValueKind != JsonValueKind.Number || !start.TryGetInt32(out var count) || count < 0)
            throw Invalid("decoder", "of type Strip must name one character, a number at the start and none at the end");
        return (content[0], count);
    }
}
