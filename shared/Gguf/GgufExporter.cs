using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Gguf.Architectures;
using Espalier.Gguf.Blocks;
using Espalier.Gguf.Files;
using Espalier.Gguf.Vocabularies;
using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;

namespace Espalier.Gguf;

/// <summary>How a GGUF file is written.</summary>
public sealed record GgufOptions
{
    /// <summary>How matrices are stored.</summary>
    public required IBlockType Type { get; init; }

    /// <summary>Value of <c>general.name</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>Whether the file gets the model's tokenizer; a model without one gets none in any case.</summary>
    /// <value>true</value>
    public bool HasTokenizer { get; init; } = true;

    /// <summary>Gets sentences about what other programs do otherwise.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>Gets bytes done and bytes in all.</summary>
    public IProgress<(long Done, long Total)>? Progress { get; init; }
}

/// <summary>Writes a stored checkpoint as one GGUF file, which llama.cpp and what is built on it run. One part of a tensor is in memory at a time.</summary>
public static class GgufExporter
{
    /// <summary>The file's name within the output folder.</summary>
    public const string FileName = "model.gguf";

    private const string TokenizerConfiguration = "tokenizer_config.json";
    private const int QuantizationVersion = 2; // of ggml's block layouts

    /// <summary>Writes <c>DIRECTORY/model.gguf</c>: whole or not at all.</summary>
    /// <exception cref="UserInputException">
    /// The output exists, or llama.cpp would compute this model otherwise; the text says what, and what avoids it.
    /// </exception>
    public static async Task ExportAsync(
        ArtifactStore store, Digest root, string directory, GgufOptions options, CancellationToken cancellationToken)
    {
        var output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        if (File.Exists(output) || Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
            throw new UserInputException($"{output}: it exists already; choose another output directory, or remove it first.");
        var reader = await CheckpointReader.OpenAsync(store, root, cancellationToken).ConfigureAwait(false);
        var (metadata, tensors) = Plan(reader, root, options);
        var parent = Path.GetDirectoryName(output) ?? throw new UserInputException($"{directory}: cannot be an output directory.");
        Directory.CreateDirectory(parent);
        var temporary = Path.Combine(parent, $".{Path.GetFileName(output)}.{Guid.NewGuid():n}.partial");
        try
        {
            Directory.CreateDirectory(temporary);
            await GgufWriter.WriteAsync(Path.Combine(temporary, FileName), metadata, tensors, options.Progress, cancellationToken).ConfigureAwait(false);
            if (Directory.Exists(output))
                Directory.Delete(output); // empty: only that was let through
            Directory.Move(temporary, output);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }

    private static (GgufMetadata Metadata, IReadOnlyList<GgufTensor> Tensors) Plan(CheckpointReader reader, Digest root, GgufOptions options)
    {
        void Note(string note) => options.Note?.Invoke(note);
        var config = DecoderFiles.ReadConfig(reader, $"model {root.Short}");
        var architecture = GgufRules.Check(config, reader.Names);
        var tensors = DecoderTensors.Of(config, architecture, new StoredWeights(reader), options.Type, Note);
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", architecture.Name);
        metadata.Add("general.name", options.Name.Length > 0 ? options.Name : root.Short);
        metadata.Add("general.file_type", options.Type.FileType);
        metadata.Add("general.quantization_version", QuantizationVersion);
        DecoderMetadata.Add(metadata, config, architecture, Note);
        if (config.Quantization is { } packed)
        {
            Note($"The model's weights are stored in {packed.Bits} bits; the file has the numbers that they stand for"
                + (options.Type.BlockSize == 1 ? "."
                    : $", rounded a second time to {options.Type.Name}. Export the model that it was quantized from to round once."));
        }
        if (config.ExtraLayers > 0)
            Note($"{config.ExtraLayers} layer(s) that predict several tokens (num_nextn_predict_layers) are left out: llama.cpp does not run them here.");
        if (FindTokenizer(reader, config, options) is { } tokenizer)
        {
            var configuration = reader.HasFile(TokenizerConfiguration) ? reader.ReadFile(TokenizerConfiguration) : (ReadOnlyMemory<byte>?)null;
            VocabularyMetadata.Add(metadata, tokenizer, config.VocabularySize, configuration);
        }
        else
        {
            VocabularyMetadata.AddNone(metadata);
            Note("The file holds no tokenizer (no_vocab): programs give it ids of tokens.");
        }
        return (metadata, tensors);
    }

    private static ITokenizer? FindTokenizer(CheckpointReader reader, ModelConfig config, GgufOptions options)
    {
        if (!options.HasTokenizer)
            return null;
        try
        {
            var found = StoredTokenizer.Load(reader, config, new TokenizerUse(BosUse.Tokenizer, TokenizerChoice.Bytes));
            return found.Files.Count == 0 ? null : found;
        }
        catch (InvalidTokenizerException e)
        {
            throw new UserInputException($"The model's tokenizer cannot be read: {e.Message} With --tokenizer none the file holds none.", e);
        }
    }
}
