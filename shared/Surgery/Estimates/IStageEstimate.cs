using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Surgery.Estimates;

/// <summary>What a step will make and cost, from its options and the headers of its inputs, before any work.</summary>
public interface IStageEstimate
{
    /// <summary>Stage kind.</summary>
    string Kind { get; }

    /// <summary>Estimates one step.</summary>
    /// <exception cref="UserInputException">The stage would refuse the step; the text is what it would say.</exception>
    StepEstimate Estimate(EstimateRequest step);

    /// <summary>Changes of options that take less memory and leave the result what it is, or nearly; each holds the ones before it.</summary>
    IEnumerable<JsonObject> Smaller(EstimateRequest step) => [];
}

/// <summary>A step to estimate.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Options">Its options.</param>
/// <param name="Inputs">Its inputs.</param>
public sealed record EstimateRequest(string Name, JsonElement Options, IReadOnlyList<EstimateInput> Inputs)
{
    /// <summary>Memory that the worker has for a step, in bytes; 0 when it does not say.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Whether the optimizer's state is among the inputs.</summary>
    public bool HasTrainerState => Inputs.Any(i => i.As == OutputNames.TrainerState);

    /// <summary>Models among the inputs.</summary>
    public IReadOnlyList<ModelHeader> Models => [.. Inputs.Select(i => i.Model).OfType<ModelHeader>()];

    /// <summary>The options as the stage's record.</summary>
    public T Read<T>() => Options.Deserialize<T>(WireJson.Options) ?? throw new UserInputException($"Step '{Name}' has no options.");

    /// <summary>The model that the step works on, found as <see cref="StageContext.FindModel"/> finds it; null when there is none.</summary>
    public ModelHeader? FindModel() => Find(InputNames.From)
        ?? (Inputs.Where(i => i.As != InputNames.Teacher && i.Model is not null).ToList() is [var only] ? only.Model : null);

    /// <summary>The model that an option names; null when it names none, or one that is not known.</summary>
    public ModelHeader? Find(string name) => Inputs.FirstOrDefault(i => i.As == name)?.Model;

    /// <summary>As <see cref="FindModel"/>.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public ModelHeader Model() =>
        FindModel() ?? throw new UserInputException($"Step '{Name}' works on one model and gets {Models.Count}: say which in 'from'.");
}

/// <summary>One input of it.</summary>
/// <param name="As">What it is for the step.</param>
/// <param name="Step">The step that makes it.</param>
/// <param name="Model">Its header when it is a model, else null.</param>
public sealed record EstimateInput(string As, string Step, ModelHeader? Model);

/// <summary>What a step makes and costs.</summary>
public sealed record StepEstimate
{
    /// <summary>The model that comes out, or null.</summary>
    public ModelHeader? Model { get; init; }

    /// <summary>Bytes of artifacts that the store does not have before.</summary>
    public long NewBytes { get; init; }

    /// <summary>Bytes of the result that the inputs hold already.</summary>
    public long SharedBytes { get; init; }

    /// <summary>Peak memory of the work process, roughly.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Arithmetic of the step, in floating-point operations, so that times of like steps can be scaled; 0 when it does not matter.</summary>
    public double Operations { get; init; }

    /// <summary>What the stage would choose by itself, in sentences.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];
}
