using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Modeling;

namespace Espalier.Surgery.Estimates;

/// <summary>A model as far as headers tell: its configuration and which optional tensors it has.</summary>
/// <param name="Config">Shape and conventions.</param>
/// <param name="HasRouterBias">Whether routers have a learned logit bias.</param>
/// <param name="HasSelectionBias">Whether routers have the selection bias of loss-free balancing.</param>
/// <param name="SizeBytes">Bytes of its tensors.</param>
public sealed record ModelHeader(ModelConfig Config, bool HasRouterBias, bool HasSelectionBias, long SizeBytes)
{
    private const int ManifestBytesPerTensor = 240;

    /// <summary>Bytes of one weight as stored.</summary>
    public int ElementBytes => Config.WeightType == "float32" ? 4 : 2;

    /// <summary>Bytes of one expert.</summary>
    public long ExpertBytes => Config.ExpertParameters * ElementBytes;

    /// <summary>Bytes of all routers with their biases.</summary>
    public long RouterBytes => (long)Config.SparseLayers.Count * Config.Experts
        * ((long)Config.HiddenSize * ElementBytes + (HasRouterBias ? 4 : 0) + (HasSelectionBias ? 4 : 0));

    /// <summary>Bytes of the manifest and <c>config.json</c>, roughly.</summary>
    public long ManifestBytes => (long)(3 + Config.Layers * (9 + 3 * Config.Experts)) * ManifestBytesPerTensor + 1024;

    /// <summary>What keeps other readers of its family from running the model as it is meant; empty when nothing does.</summary>
    public IReadOnlyList<string> BeyondPlain => [.. FamilyGap.Of(Config, HasRouterBias, HasSelectionBias).Select(gap => gap.What)];

    /// <summary>The header of a plain model of a shape.</summary>
    public static ModelHeader Of(ModelConfig config, bool hasRouterBias, bool hasSelectionBias)
    {
        var header = new ModelHeader(config, hasRouterBias, hasSelectionBias, 0);
        var biases = (long)config.SparseLayers.Count * config.Experts * ((hasRouterBias ? 4 : 0) + (hasSelectionBias ? 4 : 0));
        return header with { SizeBytes = config.TotalParameters * header.ElementBytes + biases };
    }

    /// <summary>The header of a stored model.</summary>
    /// <exception cref="InvalidModelException">Its configuration cannot be used.</exception>
    public static ModelHeader Of(CheckpointReader reader)
    {
        var (names, config) = (reader.Names.ToHashSet(), ModelConfig.Parse(reader.ReadFile("config.json")));
        return new ModelHeader(
            config, Has(TensorNames.RouterBias), Has(TensorNames.SelectionBias), SizeOf(reader.Manifest));

        bool Has(Func<int, string> nameOf) => config.SparseLayers.Any(layer => names.Contains(nameOf(layer)));
    }

    private static long SizeOf(Manifest manifest) => manifest.Tensors.Sum(t => t.SizeBytes);
}
