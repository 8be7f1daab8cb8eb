using Espalier.Modeling;

namespace Espalier.Gguf.Architectures;

/// <summary>One of llama.cpp's architectures: what it computes whatever a file says, and what it needs in one.</summary>
/// <param name="Name">Value of <c>general.architecture</c>, and the first part of keys.</param>
internal sealed record GgufArchitecture(string Name)
{
    private static readonly Dictionary<string, GgufArchitecture> ByFamily = new()
    {
        ["llama"] = new("llama") { RotatesPairs = true, NormalizesTopK = true },
        ["mistral"] = new("llama") { RotatesPairs = true, NormalizesTopK = true },
        ["mixtral"] = new("llama") { RotatesPairs = true, NormalizesTopK = true },
        ["qwen2"] = new("qwen2") { NeedsBiases = true },
        ["qwen2_moe"] = new("qwen2moe") { NeedsBiases = true, NormalizesTopK = false, HasSharedGate = true },
        ["qwen3"] = new("qwen3") { Norm = QueryKeyNorm.PerHead },
        ["qwen3_moe"] = new("qwen3moe") { Norm = QueryKeyNorm.PerHead, NormalizesTopK = true },
        ["olmoe"] = new("olmoe") { Norm = QueryKeyNorm.Whole, NormalizesTopK = false },
        ["deepseek"] = new("deepseek") { RotatesPairs = true, NormalizesTopK = false, HasSharedExperts = true },
        ["deepseek_v2"] = new("deepseek2") { HasSharedExperts = true, StatesRouting = true },
        ["deepseek_v3"] = new("deepseek2") { HasSharedExperts = true, StatesRouting = true, HasSelectionBias = true },
    };

    /// <summary>Whether rotary pairs lie side by side, so that rows of queries and keys are reordered.</summary>
    public bool RotatesPairs { get; init; }

    /// <summary>Whether gates are divided by their sum; null where the file says it, or there are no experts.</summary>
    public bool? NormalizesTopK { get; init; }

    /// <summary>Whether queries, keys and values must have biases.</summary>
    public bool NeedsBiases { get; init; }

    /// <summary>The norm of queries and keys.</summary>
    public QueryKeyNorm Norm { get; init; }

    /// <summary>Whether every mixture has a shared expert with a gate of its own.</summary>
    public bool HasSharedGate { get; init; }

    /// <summary>Whether every mixture has shared experts, as wide as a number of others; its first layers may be dense.</summary>
    public bool HasSharedExperts { get; init; }

    /// <summary>Whether the file says how scores become gates.</summary>
    public bool StatesRouting { get; init; }

    /// <summary>Whether routers may have a selection bias.</summary>
    public bool HasSelectionBias { get; init; }

    /// <summary>The architecture that runs models of a family; null where llama.cpp has none.</summary>
    public static GgufArchitecture? Of(string family) => ByFamily.GetValueOrDefault(family);
}
