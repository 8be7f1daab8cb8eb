using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using HuggingFace = Tokenizers.DotNet.Tokenizer;
using HuggingFaceException = Tokenizers.DotNet.TokenizerException;

namespace Espalier.Tokenizers;

/// <summary>
/// A <c>tokenizer.json</c> that only Hugging Face's own library reads exactly: Unigram, WordPiece, WordLevel, and BPE with other
/// normalizers or pre-tokenizers. The library ends the process when it panics, so the file is checked first
/// (<see cref="PackagedDefinition"/>), and nothing that is not checked reaches it.
/// </summary>
internal sealed class PackagedTokenizer : ITokenizer
{
    // They would add special tokens, cut texts or fill them up; ITokenizer does none of that.
    private static readonly string[] LeftOut = ["post_processor", "truncation", "padding"];

    private readonly HuggingFace _library;

    private PackagedTokenizer(HuggingFace library, int vocabularySize, int endTokenId, IReadOnlyDictionary<string, byte[]> files)
    {
        _library = library;
        VocabularySize = vocabularySize;
        EndTokenId = endTokenId;
        Files = files;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"Tokenizers.DotNet {typeof(HuggingFace).Assembly.GetName().Version}"));
        hash.AppendData(files[TokenizerFiles.Tokenizer]);
        hash.AppendData(BitConverter.GetBytes(endTokenId));
        Digest = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndTokenId { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <inheritdoc/>
    public string Digest { get; }

    /// <summary>Checks the file and hands it to the library.</summary>
    /// <exception cref="InvalidTokenizerException">The file is damaged or beyond the limits, or the library is not there for this system.</exception>
    public static PackagedTokenizer Read(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig, int? endTokenId)
    {
        var definition = PackagedDefinition.Read(tokenizerJson);
        var end = EndTokens.Choose(definition, tokenizerConfig, endTokenId);
        var files = new Dictionary<string, byte[]> { [TokenizerFiles.Tokenizer] = tokenizerJson.ToArray() };
        if (tokenizerConfig is { } config)
            files[TokenizerFiles.Configuration] = config.ToArray();
        var size = definition.Vocabulary.Values.Concat(definition.AddedTokens.Select(t => t.Id)).Max() + 1;
        return new PackagedTokenizer(Load(tokenizerJson), size, end, files);
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

    private static HuggingFace Load(ReadOnlyMemory<byte> tokenizerJson)
    {
        var root = Parse(tokenizerJson);
        foreach (var section in LeftOut)
            root[section] = null;
        var path = Path.Combine(Path.GetTempPath(), $"espalier-tokenizer-{Guid.NewGuid():n}.json");
        try
        {
            File.WriteAllText(path, root.ToJsonString());
            return Ask(() => new HuggingFace(path));
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

    // A name that appears twice would let the library see another value than the one that was checked.
    private static JsonObject Parse(ReadOnlyMemory<byte> tokenizerJson)
    {
        try
        {
            return JsonNode.Parse(tokenizerJson.Span, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false })!.AsObject();
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
