using Espalier.Contracts;
using Espalier.Pipelines.Keys;

namespace Espalier.Pipelines.Resolution;

/// <summary>How far one step is decided.</summary>
public sealed record StepResolution
{
    /// <summary>Whether its condition is met; null when steps that are still to run decide it.</summary>
    public required bool? IsMet { get; init; }

    /// <summary>The code that computes it; null when nobody offers it, or when the condition is false.</summary>
    public StageCode? Code { get; init; }

    /// <summary>Inputs that exist, in planned order.</summary>
    public IReadOnlyList<StepInput> Inputs { get; init; } = [];

    /// <summary>Steps that have yet to make an input.</summary>
    public IReadOnlyList<string> Unmade { get; init; } = [];

    /// <summary>What the step depends on, with a root that stands for nothing where an input is yet to be made; null without code.</summary>
    public StepKey? Key { get; init; }

    /// <summary>Digest of the key, when every input exists.</summary>
    public Digest? Digest { get; init; }

    /// <summary>Its result, when it exists.</summary>
    public StepOutcome? Outcome { get; init; }

    /// <summary>Why a result that exists cannot be used; null when nothing is wrong.</summary>
    public string? Damage { get; init; }
}
