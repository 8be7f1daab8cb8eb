using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Pipelines.Planning;
using Espalier.Surgery.Estimates;

namespace Espalier.Cli.Planning;

/// <summary>What would become of a step.</summary>
public enum StepDecision
{
    /// <summary>Its result is in the store.</summary>
    Cached,

    /// <summary>It would run.</summary>
    Runs,

    /// <summary>It would run if its condition is met, which earlier steps decide.</summary>
    Conditional,

    /// <summary>Its condition is false.</summary>
    Skipped,

    /// <summary>It would be refused.</summary>
    Refused,
}

/// <summary>A pipeline before it runs.</summary>
public sealed record ResolvedPlan
{
    /// <summary>Name of the pipeline.</summary>
    public required string Name { get; init; }

    /// <summary>Steps in order.</summary>
    public required IReadOnlyList<ResolvedStep> Steps { get; init; }

    /// <summary>Bytes that the steps which run would add to the store.</summary>
    public long NewBytes => Steps.Sum(s => s.NewBytes ?? 0);

    /// <summary>Largest memory of a step that runs.</summary>
    public long MemoryBytes => Steps.Max(s => s.MemoryBytes ?? 0);

    /// <summary>Time of the steps for which an earlier run gives one, in turn.</summary>
    public double Seconds => Steps.Sum(s => s.Seconds ?? 0);
}

/// <summary>One step before it runs.</summary>
public sealed record ResolvedStep
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

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

    /// <summary>Peak memory, roughly.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Wall time, scaled from an earlier run of the same method; null when there is none.</summary>
    public double? Seconds { get; init; }

    /// <summary>Options as the stage will get them.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>What it reads.</summary>
    public required IReadOnlyList<PlannedInput> Inputs { get; init; }

    /// <summary>Its condition.</summary>
    public string? When { get; init; }

    /// <summary>The model that comes out, for steps that read it.</summary>
    [JsonIgnore]
    internal ModelHeader? Model { get; init; }
}

/// <summary>A model's shape in numbers.</summary>
public sealed record ModelShape
{
    /// <summary>Layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Experts per layer.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts per token.</summary>
    public required int ExpertsPerToken { get; init; }

    /// <summary>Width of an expert.</summary>
    public required int ExpertSize { get; init; }

    /// <summary>Embedding rows.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>All parameters.</summary>
    public required long TotalParameters { get; init; }

    /// <summary>Parameters one token passes through.</summary>
    public required long ActiveParameters { get; init; }

    /// <summary>Bytes of the tensors.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>What a reader of plain OLMoE directories would miss; empty when it can run the model.</summary>
    public required IReadOnlyList<string> BeyondPlain { get; init; }

    /// <summary>The shape of an header.</summary>
    internal static ModelShape? Of(ModelHeader? model) => model is null ? null : new ModelShape
    {
        Layers = model.Config.Layers,
        HiddenSize = model.Config.HiddenSize,
        Experts = model.Config.Experts,
        ExpertsPerToken = model.Config.ExpertsPerToken,
        ExpertSize = model.Config.ExpertSize,
        VocabularySize = model.Config.VocabularySize,
        TotalParameters = model.Config.TotalParameters,
        ActiveParameters = model.Config.ActiveParameters,
        SizeBytes = model.SizeBytes,
        BeyondPlain = model.BeyondPlain,
    };
}
