using Espalier.Artifacts.Checkpoints;
using Espalier.Modeling;
using Espalier.Tokenizers;

namespace Espalier.Surgery.Checkpoints;

/// <summary>The tokenizer that a checkpoint carries.</summary>
public static class StoredTokenizer
{
    /// <summary>Reads it; bytes as tokens when the checkpoint has none and its vocabulary allows that.</summary>
    /// <exception cref="InvalidTokenizerException">The files are damaged, not supported, or have ids beyond the model's rows.</exception>
    public static ITokenizer Load(CheckpointReader reader, ModelConfig config) =>
        TokenizerFiles.Load(path => reader.HasFile(path) ? reader.ReadFile(path) : null, config.VocabularySize, config.EosTokenId);
}
