namespace Espalier.Modeling;

/// <summary>Hugging Face names of a decoder's tensors, as on disk (OLMoE family).</summary>
public static class TensorNames
{
    /// <summary>Token embedding, (V, H).</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>Last norm, (H).</summary>
    public const string FinalNorm = "model.norm.weight";

    /// <summary>Output head, (V, H); absent when the embedding is tied.</summary>
    public const string Head = "lm_head.weight";

    /// <summary>Prefix of a layer, with its dot.</summary>
    public static string Layer(int layer) => $"model.layers.{layer}.";

    /// <summary>Router weight, (E, H).</summary>
    public static string Router(int layer) => Layer(layer) + "mlp.gate.weight";

    /// <summary>Router logit bias, (E); optional, learned.</summary>
    public static string RouterBias(int layer) => Layer(layer) + "mlp.gate.bias";

    /// <summary>Selection bias of loss-free balancing, (E), float32; optional, not learned by gradient.</summary>
    public static string SelectionBias(int layer) => Layer(layer) + "mlp.gate.e_score_correction_bias";

    /// <summary>One projection of one expert: <paramref name="projection"/> is <c>gate</c> (F, H), <c>up</c> (F, H) or <c>down</c> (H, F).</summary>
    public static string Expert(int layer, int expert, string projection) => Layer(layer) + $"mlp.experts.{expert}.{projection}_proj.weight";

    /// <summary>All gate and up projections of a layer as one parameter, (E, 2F, H), gate rows first.</summary>
    public static string ExpertsGateUp(int layer) => Layer(layer) + "mlp.experts.gate_up_proj";

    /// <summary>All down projections of a layer as one parameter, (E, H, F).</summary>
    public static string ExpertsDown(int layer) => Layer(layer) + "mlp.experts.down_proj";
}
