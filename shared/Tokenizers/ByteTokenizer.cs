using System.Security.Cryptography;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// Every UTF-8 byte is a token, ids 0 to 255. A document ends with id 256, or with id 0 when the model has no more than
/// 256 embedding rows: cleaned text holds no NUL.
/// </summary>
public sealed class ByteTokenizer : ITokenizer
{
    private const int ByteValues = 256;

    /// <summary>Bytes for a model with <paramref name="modelVocabularySize"/> embedding rows.</summary>
    /// <exception cref="InvalidTokenizerException">The model has fewer than 256 rows.</exception>
    public ByteTokenizer(int modelVocabularySize = ByteValues + 1)
    {
        if (modelVocabularySize < ByteValues)
        {
            throw new InvalidTokenizerException(
                $"Bytes as tokens need at least {ByteValues} embedding rows; the model's vocab_size is {modelVocabularySize}. Add a tokenizer.json.");
        }
        EndTokenId = modelVocabularySize > ByteValues ? ByteValues : 0;
        VocabularySize = Math.Max(ByteValues, EndTokenId + 1);
        Digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"bytes, end {EndTokenId}")));
    }

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndTokenId { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files { get; } = new Dictionary<string, byte[]>();

    /// <inheritdoc/>
    public string Digest { get; }

    /// <inheritdoc/>
    public int[] Encode(string text) => Array.ConvertAll(Encoding.UTF8.GetBytes(text), value => (int)value);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length);
        foreach (var id in ids)
        {
            if (id is >= 0 and < ByteValues && id != EndTokenId)
                bytes.Add((byte)id);
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }
}
