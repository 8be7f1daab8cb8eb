using Espalier.Artifacts.Checkpoints;
using Espalier.Modeling;
using Espalier.Tokenizers;

namespace Espalier.Surgery.Checkpoints;

/// <summary>The tokenizer that a checkpoint carries.</summary>
public static class StoredTokenizer
{
    /// <summary>Reads it as a task asks for it.</summary>
    /// <exception cref="InvalidTokenizerException">
    /// The files are damaged, not supported, have ids beyond the model's rows, or are not there and the task does not ask for bytes.
    /// </exception>
    public static ITokenizer Load(CheckpointReader reader, ModelConfig config, TokenizerUse? use = null) =>
        TokenizerFiles.Load(
            new TokenizerSource(reader.Manifest.Files.Select(file => file.Path), reader.ReadFile), config.VocabularySize, config.EosTokenId, use);
}
