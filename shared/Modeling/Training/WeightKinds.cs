namespace Espalier.Modeling.Training;

/// <summary>What a weight is for, by its Hugging Face name.</summary>
public static class WeightKinds
{
    /// <summary>Whether it is a router's matrix or bias.</summary>
    public static bool IsRouter(string name) => Has(name, ".mlp.gate.");

    /// <summary>Whether it is the embedding or the output head.</summary>
    public static bool IsEmbedding(string name) => name is TensorNames.Embedding or TensorNames.Head;

    /// <summary>Whether it is a norm's.</summary>
    public static bool IsNorm(string name) => name.EndsWith("norm.weight", StringComparison.Ordinal);

    /// <summary>Whether it belongs to attention, norms within it included.</summary>
    public static bool IsAttention(string name) => Has(name, ".self_attn.");

    /// <summary>Whether it is one of the routed experts', stacked or single.</summary>
    public static bool IsExpert(string name) => Has(name, ".mlp.experts.");

    /// <summary>Whether it is an expert's, a shared expert's or a dense feed-forward's.</summary>
    public static bool IsFeedForward(string name) => Has(name, ".mlp.") && !IsRouter(name);

    private static bool Has(string name, string part) => name.Contains(part, StringComparison.Ordinal);
}
