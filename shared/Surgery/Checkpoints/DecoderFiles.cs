using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Reads decoders from the store.</summary>
public static class DecoderFiles
{
    private const string ConfigFile = "config.json";

    /// <summary>Loads the model of a checkpoint, whole; packed weights are expanded.</summary>
    /// <param name="store">Where it is.</param>
    /// <param name="checkpoint">Which one.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <param name="dtype">Type to hold the weights in; float32 when null.</param>
    /// <param name="device">Device to hold them on; the CPU when null.</param>
    /// <exception cref="UserInputException">The checkpoint is not a model that we can run; the text names files and tensors.</exception>
    public static async Task<MoeDecoder> LoadDecoderAsync(
        ArtifactStore store, ManifestRef checkpoint, CancellationToken cancellationToken, ScalarType? dtype = null, Device? device = null)
    {
        var reader = await CheckpointReader.OpenAsync(store, checkpoint, cancellationToken).ConfigureAwait(false);
        return LoadDecoder(reader, $"model {checkpoint.Root.Short}", dtype, device);
    }

    /// <summary>Loads the model of an open checkpoint.</summary>
    /// <exception cref="UserInputException">The checkpoint is not a model that we can run; the text names files and tensors.</exception>
    public static MoeDecoder LoadDecoder(CheckpointReader reader, string name, ScalarType? dtype = null, Device? device = null)
    {
        try
        {
            return MoeDecoder.Load(ReadConfig(reader, name), new StoredWeights(reader), dtype, device);
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The {name} cannot be loaded: {e.Message}", e);
        }
    }

    /// <summary>Reads the configuration of an open checkpoint.</summary>
    /// <exception cref="UserInputException">There is none, or it cannot be used.</exception>
    public static ModelConfig ReadConfig(CheckpointReader reader, string name)
    {
        if (!reader.HasFile(ConfigFile))
            throw new UserInputException($"The {name} has no {ConfigFile}.");
        try
        {
            return ModelConfig.Parse(reader.ReadFile(ConfigFile));
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The {name} cannot be loaded: {e.Message}", e);
        }
    }
}
