namespace Espalier.Modeling;

/// <summary>How queries and keys are normed before the rotary embedding.</summary>
public enum QueryKeyNorm
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Over the whole projected vector, before the split into heads (OLMoE).</summary>
    Whole,

    /// <summary>Over each head, with one weight for all heads (Qwen3).</summary>
    PerHead,
}
