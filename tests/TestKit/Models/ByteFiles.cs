using Espalier.Modeling;
using Espalier.Tokenizers;

namespace Espalier.TestKit.Models;

/// <summary>The tokenizer files of a toy model whose tokens are bytes.</summary>
public static class ByteFiles
{
    private static readonly ByteLevelBpe Bytes = ByteLevelBpe.OfBytes();

    /// <summary>The files; none for a vocabulary that is too small for bytes.</summary>
    public static IReadOnlyDictionary<string, byte[]> For(ModelConfig config) =>
        config.VocabularySize >= Bytes.VocabularySize ? Bytes.Files : new Dictionary<string, byte[]>();
}
