using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using HuggingFace = Tokenizers.DotNet.Tokenizer;
using HuggingFaceException = Tokenizers.DotNet.TokenizerException;

namespace Espalier.Tokenizers;

/// <summary>
/// A <c>tokenizer.json</c> that only Hugging Face's own library reads exactly: Unigram, WordPiece, WordLevel, and BPE with other
/// normalizers (SentencePiece's own too) or pre-tokenizers. The library ends the process when it panics, so the file is checked first
/// (<see cref="PackagedDefinition"/>), and nothing that is not checked reaches it.
/// </summary>
internal sealed class PackagedTokenizer : ITokenizer, IAddedTokens
{
    // They would add special tokens, cut texts or fill them up; ITokenizer does none of that.
    private static readonly string[] LeftOut = ["post_processor", "truncation", "padding"];

    private readonly HuggingFace _library;
    private readonly BpeDefinition _definition;

    private PackagedTokenizer(
        HuggingFace library, BpeDefinition definition, TextBounds bounds, IReadOnlyDictionary<string, byte[]> files, byte[] identity)
    {
        (_library, _definition, Files) = (library, definition, files);
        VocabularySize = definition.Vocabulary.Values.Concat(definition.AddedTokens.Select(t => t.Id)).Max() + 1;
        (EndTokenId, BeginTokenId, AddsBeginToken) = (bounds.End, bounds.Begin, bounds.AddsBegin);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"Tokenizers.DotNet {typeof(HuggingFace).Assembly.GetName().Version}"));
        hash.AppendData(identity);
        hash.AppendData(BitConverter.GetBytes(bounds.End));
        Digest = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndTokenId { get; }

    /// <inheritdoc/>
    public int? BeginTokenId { get; }

    /// <inheritdoc/>
    public bool AddsBeginToken { get; }

    /// <inheritdoc/>
    int IAddedTokens.WordCount => _definition.WordCount;

    /// <inheritdoc/>
    IReadOnlyList<AddedToken> IAddedTokens.AddedTokens => _definition.AddedTokens;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <inheritdoc/>
    public string Digest { get; }

    /// <summary>Checks the file and hands it to the library.</summary>
    /// <param name="tokenizerJson">The file.</param>
    /// <param name="settings">What the files beside it say.</param>
    /// <param name="files">Files that carry the tokenizer.</param>
    /// <param name="open">Opens the library on a file; the library itself when left out.</param>
    /// <exception cref="InvalidTokenizerException">The file is damaged or beyond the limits, or the library is not there for this system.</exception>
    public static PackagedTokenizer Read(
        ReadOnlyMemory<byte> tokenizerJson, TokenizerSettings settings, IReadOnlyDictionary<string, byte[]> files, Func<string, HuggingFace>? open = null)
    {
        var definition = PackagedDefinition.Read(tokenizerJson);
        var extra = ExtraTokens.Missing(definition, settings);
        PackagedDefinition.CheckAdded(tokenizerJson, extra);
        definition = definition with { AddedTokens = [.. definition.AddedTokens, .. extra] };
        var bounds = BoundTokens.Choose(definition, settings, TokenizerFiles.Tokenizer, BoundTokens.TemplateBegin(tokenizerJson));
        var library = Load(tokenizerJson, extra, open ?? (path => new HuggingFace(path)));
        return new PackagedTokenizer(library, definition, bounds, files, ExtraTokens.Identity(tokenizerJson, extra));
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidTokenizerException">The text has no tokens in this vocabulary, or the file gives ids beyond it.</exception>
    public int[] Encode(string text)
    {
        var ids = Ask(() => _library.Encode(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)))); // lone surrogates become U+FFFD
        var result = new int[ids.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            result[i] = ids[i] < (uint)VocabularySize
                ? (int)ids[i]
                : throw new InvalidTokenizerException(
                    $"{TokenizerFiles.Tokenizer} gives the id {ids[i]}, beyond its {VocabularySize} tokens: "
                    + "the ids of added_tokens do not follow the vocabulary.");
        }
        return result;
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var known = new List<uint>(ids.Length);
        foreach (var id in ids)
        {
            if ((uint)id < (uint)VocabularySize)
                known.Add((uint)id);
        }
        return known.Count == 0 ? "" : Ask(() => _library.Decode([.. known]));
    }

    private static HuggingFace Load(ReadOnlyMemory<byte> tokenizerJson, List<AddedToken> extra, Func<string, HuggingFace> open)
    {
        var root = Parse(tokenizerJson);
        if (extra.Count > 0)
            root["added_tokens"] = new JsonArray([.. (root["added_tokens"] as JsonArray ?? []).Select(token => token?.DeepClone()), .. extra.Select(Spell)]);
        foreach (var section in LeftOut)
            root[section] = null;
        var path = Path.Combine(Path.GetTempPath(), $"espalier-tokenizer-{Guid.NewGuid():n}.json");
        try
        {
            File.WriteAllText(path, root.ToJsonString());
            return Ask(() => open(path));
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new InvalidTokenizerException(
                $"{TokenizerFiles.Tokenizer} needs Hugging Face's tokenizers library, which ships with this program for Linux on x64 only: "
                + "run there, or convert the tokenizer to byte-level BPE.",
                exception);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>A token as the file spells it.</summary>
    internal static JsonObject Spell(AddedToken token) => new()
    {
        ["id"] = token.Id,
        ["content"] = token.Content,
        ["single_word"] = token.SingleWord,
        ["lstrip"] = token.StripLeft,
        ["rstrip"] = token.StripRight,
        ["normalized"] = token.Normalized,
        ["special"] = token.Special,
    };

    // A name that appears twice would let the library see another value than the one that was checked.
    private static JsonObject Parse(ReadOnlyMemory<byte> tokenizerJson)
    {
        try
        {
            var options = new JsonDocumentOptions { AllowDuplicateProperties = false };
            return JsonNode.Parse(TokenizerJsonReader.WithoutMark(tokenizerJson).Span, documentOptions: options)!.AsObject();
        }
        catch (JsonException exception)
        {
            throw new InvalidTokenizerException($"{TokenizerFiles.Tokenizer} is not usable: {exception.Message}", exception);
        }
    }

    private static T Ask<T>(Func<T> ask)
    {
        try
        {
            return ask();
        }
        catch (HuggingFaceException exception)
        {
            throw new InvalidTokenizerException($"{TokenizerFiles.Tokenizer}: {exception.Message}", exception);
        }
    }
}
