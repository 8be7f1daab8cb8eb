using System.Text.Json;

namespace Espalier.Contracts;

/// <summary>Request to a worker: what will a step make and cost? Answered by <see cref="StepEstimated"/>, from options and headers alone.</summary>
public sealed record EstimateStep
{
    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Name of the step, for messages.</summary>
    public required string Name { get; init; }

    /// <summary>Its options.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>Its inputs.</summary>
    public required IReadOnlyList<EstimateStepInput> Inputs { get; init; }

    /// <summary>Device class that it asks for; null from orchestrators that do not say.</summary>
    public string? Device { get; init; }

    /// <summary>The model that the step made, when its result exists: then that is described and nothing is estimated.</summary>
    public Digest? Made { get; init; }
}

/// <summary>One input of a step to estimate.</summary>
/// <param name="As">What it is for the step.</param>
/// <param name="Step">The step that makes it.</param>
/// <param name="Root">Its manifest root, when it is a model that exists.</param>
/// <param name="Model"><see cref="StepEstimated.Model"/> of the step that will make it, when it is a model that does not exist yet.</param>
public sealed record EstimateStepInput(string As, string Step, Digest? Root = null, JsonElement? Model = null);

/// <summary>Answer to <see cref="EstimateStep"/>. What is not known is null.</summary>
public sealed record StepEstimated
{
    /// <summary>Why the stage would refuse the step; null when it would not.</summary>
    public string? Refusal { get; init; }

    /// <summary>Shape of the model that goes in.</summary>
    public ModelShape? Before { get; init; }

    /// <summary>Shape of the model that comes out.</summary>
    public ModelShape? After { get; init; }

    /// <summary>The model that comes out, in the form that estimates of later steps take it; nobody else reads it.</summary>
    public JsonElement? Model { get; init; }

    /// <summary>Bytes of artifacts that the store does not have before.</summary>
    public long? NewBytes { get; init; }

    /// <summary>Bytes of the result that the inputs hold already.</summary>
    public long? SharedBytes { get; init; }

    /// <summary>Peak memory of the work process in bytes, roughly.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Changes of options with which it needs less memory, the least change first.</summary>
    public IReadOnlyList<SmallerStep> Smaller { get; init; } = [];

    /// <summary>Arithmetic of the step in floating-point operations, so that times of like steps can be scaled; 0 when it does not matter.</summary>
    public double Operations { get; init; }

    /// <summary>What the stage would choose by itself, in sentences.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];
}

/// <summary>A step with some options changed.</summary>
/// <param name="Change">What is changed, as it stands in a pipeline file: <c>recompute: true</c>.</param>
/// <param name="MemoryBytes">Peak memory then, in bytes, roughly.</param>
public sealed record SmallerStep(string Change, long MemoryBytes);

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

    /// <summary>What a reader of plain directories of its family would miss; empty when it can run the model.</summary>
    public required IReadOnlyList<string> BeyondPlain { get; init; }
}
