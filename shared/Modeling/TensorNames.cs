using System.Globalization;

namespace Espalier.Modeling;

/// <summary>
/// Names of a decoder's tensors, the same for every family: those of Hugging Face's OLMoE and Qwen. Families that spell
/// theirs otherwise on disk are translated when a directory is read or written.
/// </summary>
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

    /// <summary>The layer that a tensor belongs to, or null.</summary>
    public static int? LayerOf(string tensor) =>
        tensor.Split('.', 4) is ["model", "layers", var layer, _]
            && int.TryParse(layer, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;

    /// <summary>A tensor of a layer's attention: <paramref name="tensor"/> is <c>q_proj.weight</c>, <c>k_norm.weight</c>, ...</summary>
    public static string Attention(int layer, string tensor) => Layer(layer) + "self_attn." + tensor;

    /// <summary>One projection of a dense layer's MLP: <paramref name="projection"/> is <c>gate</c> (I, H), <c>up</c> (I, H) or <c>down</c> (H, I).</summary>
    public static string DenseMlp(int layer, string projection) => Layer(layer) + $"mlp.{projection}_proj.weight";

    /// <summary>One projection of a layer's shared expert, which is all shared experts side by side.</summary>
    public static string SharedExpert(int layer, string projection) => Layer(layer) + $"mlp.shared_expert.{projection}_proj.weight";

    /// <summary>Projection whose sigmoid the shared expert is multiplied by, (1, H).</summary>
    public static string SharedExpertGate(int layer) => Layer(layer) + "mlp.shared_expert_gate.weight";

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
