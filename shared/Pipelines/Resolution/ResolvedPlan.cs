using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Resolution;

/// <summary>What would become of a step.</summary>
public enum StepDecision
{
    /// <summary>Its result is in the store.</summary>
    Cached,

    /// <summary>It would run.</summary>
    Runs,

    /// <summary>It would run if its condition is met, which earlier steps decide.</summary>
    Conditional,

    /// <summary>Its condition is false, or a step that it needs does not run.</summary>
    Skipped,

    /// <summary>It would be refused.</summary>
    Refused,
}

/// <summary>A plan, and what running it would do and cost.</summary>
public sealed record ResolvedPlan
{
    /// <summary>Name of the pipeline.</summary>
    public required string Name { get; init; }

    /// <summary>Values of the parameters, by name.</summary>
    public required IReadOnlyDictionary<string, string> Parameters { get; init; }

    /// <summary>Steps in order.</summary>
    public required IReadOnlyList<ResolvedStep> Steps { get; init; }

    /// <summary>Bytes that the steps which run would add to the store, as far as they are known.</summary>
    public long NewBytes => Steps.Sum(s => s.NewBytes ?? 0);

    /// <summary>Largest memory of a step that runs, in bytes.</summary>
    public long MemoryBytes => Steps.Count == 0 ? 0 : Steps.Max(s => s.MemoryBytes ?? 0);

    /// <summary>Seconds of the steps for which an earlier run gives a time, one after the other.</summary>
    public double Seconds => Steps.Sum(s => s.Seconds ?? 0);
}

/// <summary>One step before it runs.</summary>
public sealed record ResolvedStep
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Device class.</summary>
    public required string Device { get; init; }

    /// <summary>Steps before it.</summary>
    public required IReadOnlyList<string> Needs { get; init; }

    /// <summary>Where it stands in the file.</summary>
    public int Line { get; init; }

    /// <summary>Whether the planner added it.</summary>
    public bool IsImplicit { get; init; }

    /// <summary>Its condition.</summary>
    public string? When { get; init; }

    /// <summary>Its step key, when everything that it depends on is known.</summary>
    public Digest? Key { get; init; }

    /// <summary>Whether somebody offers its kind on its device.</summary>
    public bool IsOffered { get; init; }

    /// <summary>Whether its result exists.</summary>
    public bool IsCached => Decision == StepDecision.Cached;

    /// <summary>What would become of it.</summary>
    [JsonPropertyName("outlook")]
    public required StepDecision Decision { get; init; }

    /// <summary>Why: for a step that runs, what differs from the nearest work that is known.</summary>
    public required string Reason { get; init; }

    /// <summary>Shape of the model that goes in, when there is one.</summary>
    public ModelShape? Before { get; init; }

    /// <summary>Shape of the model that comes out, when there is one.</summary>
    public ModelShape? After { get; init; }

    /// <summary>Bytes that it would add to the store; null when unknown.</summary>
    public long? NewBytes { get; init; }

    /// <summary>Bytes of its result that are there already.</summary>
    public long? SharedBytes { get; init; }

    /// <summary>Peak memory in bytes, roughly.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>What the stage would choose by itself, in sentences.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>Wall time in seconds, scaled from an earlier run of the same method; null when there is none.</summary>
    public double? Seconds { get; init; }

    /// <summary>Options as the stage will get them.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>What it reads.</summary>
    public required IReadOnlyList<PlannedInput> Inputs { get; init; }
}
