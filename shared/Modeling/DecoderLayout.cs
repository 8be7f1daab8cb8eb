namespace Espalier.Modeling;

/// <summary>Names and shapes of a model's tensors, in layer order.</summary>
public static class DecoderLayout
{
    /// <summary>What is trained: experts stacked per layer; matrices decay, norms and biases do not.</summary>
    internal static List<(string Name, long[] Shape, bool Decays)> Parameters(ModelConfig config, bool routerBias)
    {
        long width = config.HiddenSize;
        var layout = new List<(string, long[], bool)> { (TensorNames.Embedding, [config.VocabularySize, width], true) };
        for (var layer = 0; layer < config.Layers; layer++)
        {
            layout.Add((TensorNames.Layer(layer) + "input_layernorm.weight", [width], false));
            layout.AddRange(config.Latent is { } latent ? Latent(config, latent, layer) : Attention(config, layer));
            layout.Add((TensorNames.Layer(layer) + "post_attention_layernorm.weight", [width], false));
            layout.AddRange(config.IsSparse(layer) ? Mixture(config, layer, routerBias)
                : Mlp(name => TensorNames.DenseMlp(layer, name), width, config.DenseSize));
        }
        layout.Add((TensorNames.FinalNorm, [width], false));
        if (!config.TieEmbeddings)
            layout.Add((TensorNames.Head, [config.VocabularySize, width], true));
        return layout;
    }

    /// <summary>What is stored, by Hugging Face name: experts one by one.</summary>
    /// <param name="config">The model.</param>
    /// <param name="routerBias">Whether routers have a learned logit bias.</param>
    public static IEnumerable<(string Name, long[] Shape)> Stored(ModelConfig config, bool routerBias)
    {
        var (width, inner) = ((long)config.HiddenSize, (long)config.ExpertSize);
        var layer = -1;
        foreach (var (name, shape, _) in Parameters(config, routerBias))
        {
            if (name.EndsWith("input_layernorm.weight", StringComparison.Ordinal))
                layer++;
            if (layer >= 0 && name == TensorNames.ExpertsDown(layer))
                continue;
            if (layer < 0 || name != TensorNames.ExpertsGateUp(layer))
            {
                yield return (name, shape);
                continue;
            }
            for (var expert = 0; expert < config.Experts; expert++)
            {
                yield return (TensorNames.Expert(layer, expert, "gate"), [inner, width]);
                yield return (TensorNames.Expert(layer, expert, "up"), [inner, width]);
                yield return (TensorNames.Expert(layer, expert, "down"), [width, inner]);
            }
        }
    }

    private static IEnumerable<(string, long[], bool)> Attention(ModelConfig config, int layer)
    {
        var (width, query, keyValue, head) = (
            (long)config.HiddenSize, (long)config.Heads * config.HeadSize, (long)config.KeyValueHeads * config.HeadSize, (long)config.HeadSize);
        yield return (TensorNames.Attention(layer, "q_proj.weight"), [query, width], true);
        yield return (TensorNames.Attention(layer, "k_proj.weight"), [keyValue, width], true);
        yield return (TensorNames.Attention(layer, "v_proj.weight"), [keyValue, width], true);
        if (config.QueryKeyValueBias)
        {
            yield return (TensorNames.Attention(layer, "q_proj.bias"), [query], false);
            yield return (TensorNames.Attention(layer, "k_proj.bias"), [keyValue], false);
            yield return (TensorNames.Attention(layer, "v_proj.bias"), [keyValue], false);
        }
        if (config.QueryKeyNorm != QueryKeyNorm.None)
        {
            yield return (TensorNames.Attention(layer, "q_norm.weight"), [config.QueryKeyNorm == QueryKeyNorm.Whole ? query : head], false);
            yield return (TensorNames.Attention(layer, "k_norm.weight"), [config.QueryKeyNorm == QueryKeyNorm.Whole ? keyValue : head], false);
        }
        yield return (TensorNames.Attention(layer, "o_proj.weight"), [width, query], true);
        if (config.OutputBias)
            yield return (TensorNames.Attention(layer, "o_proj.bias"), [width], false);
    }

    private static IEnumerable<(string, long[], bool)> Latent(ModelConfig config, LatentAttention latent, int layer)
    {
        var (width, query) = ((long)config.HiddenSize, (long)config.Heads * config.HeadSize);
        if (latent.QueryRank is { } rank)
        {
            yield return (TensorNames.Attention(layer, "q_a_proj.weight"), [rank, width], true);
            if (config.QueryKeyValueBias)
                yield return (TensorNames.Attention(layer, "q_a_proj.bias"), [rank], false);
            yield return (TensorNames.Attention(layer, "q_a_layernorm.weight"), [rank], false);
            yield return (TensorNames.Attention(layer, "q_b_proj.weight"), [query, rank], true);
        }
        else
            yield return (TensorNames.Attention(layer, "q_proj.weight"), [query, width], true);
        yield return (TensorNames.Attention(layer, "kv_a_proj_with_mqa.weight"), [latent.KeyValueRank + latent.RotarySize, width], true);
        if (config.QueryKeyValueBias)
            yield return (TensorNames.Attention(layer, "kv_a_proj_with_mqa.bias"), [latent.KeyValueRank + latent.RotarySize], false);
        yield return (TensorNames.Attention(layer, "kv_a_layernorm.weight"), [latent.KeyValueRank], false);
        yield return (TensorNames.Attention(layer, "kv_b_proj.weight"),
            [(long)config.Heads * (latent.PlainSize + latent.ValueSize), latent.KeyValueRank], true);
        yield return (TensorNames.Attention(layer, "o_proj.weight"), [width, (long)config.Heads * latent.ValueSize], true);
        if (config.OutputBias)
            yield return (TensorNames.Attention(layer, "o_proj.bias"), [width], false);
    }

    private static IEnumerable<(string, long[], bool)> Mixture(ModelConfig config, int layer, bool routerBias)
    {
        long width = config.HiddenSize;
        yield return (TensorNames.Router(layer), [config.Experts, width], true);
        if (routerBias)
            yield return (TensorNames.RouterBias(layer), [config.Experts], false);
        yield return (TensorNames.ExpertsGateUp(layer), [config.Experts, 2L * config.ExpertSize, width], true);
        yield return (TensorNames.ExpertsDown(layer), [config.Experts, width, config.ExpertSize], true);
        if (config.SharedSize == 0)
            yield break;
        foreach (var entry in Mlp(name => TensorNames.SharedExpert(layer, name), width, config.SharedSize))
            yield return entry;
        if (config.SharedGate)
            yield return (TensorNames.SharedExpertGate(layer), [1, width], true);
    }

    private static IEnumerable<(string, long[], bool)> Mlp(Func<string, string> nameOf, long width, long inner)
    {
        yield return (nameOf("gate"), [inner, width], true);
        yield return (nameOf("up"), [inner, width], true);
        yield return (nameOf("down"), [width, inner], true);
    }
}
