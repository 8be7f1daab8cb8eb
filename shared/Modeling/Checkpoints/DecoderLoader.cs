using Espalier.Modeling.WeightFormats;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Checkpoints;

/// <summary>Checks a source against a configuration before anything is allocated, then reads tensor by tensor.</summary>
internal sealed class DecoderLoader(ModelConfig config, IWeightSource source)
{
    private const int MaximumListed = 12;

    private readonly HashSet<string> _names = [.. source.Names];

    public bool Has(string name) => _names.Contains(name);

    /// <summary>Checks names and shapes; returns whether routers have a logit bias.</summary>
    public bool Check()
    {
        var routerBias = config.SparseLayers.Any(layer => Has(TensorNames.RouterBias(layer)));
        var problems = new List<string>();
        var known = new HashSet<string>();
        foreach (var (name, shape) in DecoderLayout.Stored(config, routerBias))
        {
            if (Has(name) && !IsCodedInPlace(name))
            {
                known.Add(name);
                var header = source.Describe(name);
                if (!header.Shape.SequenceEqual(shape))
                    problems.Add($"tensor '{source.NameInFile(name)}' has shape [{string.Join(", ", header.Shape)}]; "
                        + $"config.json calls for [{string.Join(", ", shape)}]");
                if (!IsFloat(header.Type))
                    problems.Add($"tensor '{source.NameInFile(name)}' has element type {header.Type}; expected a floating-point type");
            }
            else if (config.Quantization is { } quantization && StoredMatrix.IsPacked(quantization, _names, name))
            {
                var kinds = quantization.Kinds.Select(kind => WeightFormat.Of(quantization.Format).Layout(name, shape[0], shape[1], kind)).ToList();
                var parts = kinds.Find(parts => parts.All(part => CheckPart(part) is null)) ?? kinds[0];
                known.UnionWith(parts.Select(part => part.Name));
                problems.AddRange(parts.Select(CheckPart).OfType<string>());
            }
            else
                problems.Add($"tensor '{source.NameInFile(name)}' is missing");
        }
        foreach (var layer in config.SparseLayers)
        {
            if (!Has(TensorNames.SelectionBias(layer)))
                continue;
            known.Add(TensorNames.SelectionBias(layer));
            if (!source.Describe(TensorNames.SelectionBias(layer)).Shape.SequenceEqual([config.Experts]))
                problems.Add($"tensor '{TensorNames.SelectionBias(layer)}' must have shape [{config.Experts}]");
        }
        for (var layer = config.Layers; layer < config.Layers + config.ExtraLayers; layer++)
            known.UnionWith(_names.Where(name => name.StartsWith(TensorNames.Layer(layer), StringComparison.Ordinal)));
        problems.AddRange(_names.Except(known).Order(StringComparer.Ordinal)
            .Select(name => config.TieEmbeddings && name == TensorNames.Head
                ? $"tensor '{source.NameInFile(name)}' is not '{TensorNames.Embedding}', which config.json makes the head (tie_word_embeddings is true). "
                    + "Set that to false to use the tensor, or remove the tensor"
                : $"tensor '{source.NameInFile(name)}' is not part of a model with this config.json"));
        problems = [.. problems.Distinct()]; // one tensor of all experts may be wrong for each of them
        if (problems.Count > 0)
            throw new InvalidModelException(string.Join(Environment.NewLine, problems.Take(MaximumListed))
                + (problems.Count > MaximumListed ? $"{Environment.NewLine}and {problems.Count - MaximumListed} more" : ""));
        return routerBias;
    }

    /// <summary>Reads one tensor into <paramref name="destination"/>, expanding it when it is packed.</summary>
    public void Fill(string name, Tensor destination)
    {
        using var scope = NewDisposeScope();
        var value = Has(name) && !IsCodedInPlace(name) ? source.Read(name) : StoredMatrix.Expand(config.Quantization!, source, name);
        if (!value.isfinite().all().item<bool>())
            throw new InvalidModelException($"tensor '{source.NameInFile(name)}' holds NaN or infinity; the checkpoint is damaged or its training diverged.");
        destination.copy_(value);
    }

    // Codes under the plain name, with their scales beside them.
    private bool IsCodedInPlace(string name) =>
        config.Quantization is { } quantization && WeightFormat.Of(quantization.Format).Layout(name, 1, 1, quantization).Any(part => part.Name == name)
            && StoredMatrix.IsPacked(quantization, _names, name);

    private string? CheckPart(PackedTensor part)
    {
        if (!Has(part.Name))
            return $"tensor '{source.NameInFile(part.Name)}' is missing";
        var header = source.Describe(part.Name);
        return !header.Shape.SequenceEqual(part.Shape)
            ? $"tensor '{source.NameInFile(part.Name)}' has shape [{string.Join(", ", header.Shape)}]; config.json calls for [{string.Join(", ", part.Shape)}]"
            : part.Type is { } type && header.Type != type ? $"tensor '{source.NameInFile(part.Name)}' has element type {header.Type}; expected {type}" : null;
    }

    private static bool IsFloat(ScalarType type) => type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64;
}
