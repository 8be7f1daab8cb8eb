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
        var routerBias = Has(TensorNames.RouterBias(0));
        var problems = new List<string>();
        var known = new HashSet<string>();
        foreach (var (name, shape) in Expected(routerBias))
        {
            if (Has(name))
            {
                known.Add(name);
                var header = source.Describe(name);
                if (!header.Shape.SequenceEqual(shape))
                    problems.Add($"tensor '{name}' has shape [{string.Join(", ", header.Shape)}]; config.json calls for [{string.Join(", ", shape)}]");
                if (!IsFloat(header.Type))
                    problems.Add($"tensor '{name}' has element type {header.Type}; expected a floating-point type");
            }
            else if (config.Quantization is { } quantization && Has(PackedWeights.PackedName(name)))
            {
                known.UnionWith(PackedWeights.NamesOf(name, quantization));
                problems.AddRange(PackedWeights.Check(source, _names, name, shape, quantization));
            }
            else
                problems.Add($"tensor '{name}' is missing");
        }
        for (var layer = 0; layer < config.Layers; layer++)
        {
            if (!Has(TensorNames.SelectionBias(layer)))
                continue;
            known.Add(TensorNames.SelectionBias(layer));
            if (!source.Describe(TensorNames.SelectionBias(layer)).Shape.SequenceEqual([config.Experts]))
                problems.Add($"tensor '{TensorNames.SelectionBias(layer)}' must have shape [{config.Experts}]");
        }
        problems.AddRange(_names.Except(known).Order(StringComparer.Ordinal).Select(name => $"tensor '{name}' is not part of a model with this config.json"));
        if (problems.Count > 0)
            throw new InvalidModelException(string.Join(Environment.NewLine, problems.Take(MaximumListed))
                + (problems.Count > MaximumListed ? $"{Environment.NewLine}and {problems.Count - MaximumListed} more" : ""));
        return routerBias;
    }

    /// <summary>Reads one tensor into <paramref name="destination"/>, expanding it when it is packed.</summary>
    public void Fill(string name, Tensor destination)
    {
        using var scope = NewDisposeScope();
        var value = Has(name) ? source.Read(name) : PackedWeights.Read(source, name, config.Quantization!);
        if (!value.isfinite().all().item<bool>())
            throw new InvalidModelException($"tensor '{name}' holds NaN or infinity; the checkpoint is damaged or its training diverged.");
        destination.copy_(value);
    }

    private IEnumerable<(string Name, long[] Shape)> Expected(bool routerBias)
    {
        var (width, inner, query, keyValue) = ((long)config.HiddenSize, (long)config.ExpertSize, (long)config.Heads * config.HeadSize, (long)config.KeyValueHeads * config.HeadSize);
        yield return (TensorNames.Embedding, [config.VocabularySize, width]);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var prefix = TensorNames.Layer(layer);
            yield return (prefix + "input_layernorm.weight", [width]);
            yield return (prefix + "self_attn.q_proj.weight", [query, width]);
            yield return (prefix + "self_attn.k_proj.weight", [keyValue, width]);
            yield return (prefix + "self_attn.v_proj.weight", [keyValue, width]);
            yield return (prefix + "self_attn.q_norm.weight", [query]);
            yield return (prefix + "self_attn.k_norm.weight", [keyValue]);
            yield return (prefix + "self_attn.o_proj.weight", [width, query]);
            yield return (prefix + "post_attention_layernorm.weight", [width]);
            yield return (TensorNames.Router(layer), [config.Experts, width]);
            if (routerBias)
                yield return (TensorNames.RouterBias(layer), [config.Experts]);
            for (var expert = 0; expert < config.Experts; expert++)
            {
                yield return (TensorNames.Expert(layer, expert, "gate"), [inner, width]);
                yield return (TensorNames.Expert(layer, expert, "up"), [inner, width]);
                yield return (TensorNames.Expert(layer, expert, "down"), [width, inner]);
            }
        }
        yield return (TensorNames.FinalNorm, [width]);
        if (!config.TieEmbeddings)
            yield return (TensorNames.Head, [config.VocabularySize, width]);
    }

    private static bool IsFloat(ScalarType type) => type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64;
}
