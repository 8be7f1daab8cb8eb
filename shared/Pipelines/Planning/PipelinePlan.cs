using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// A pipeline made explicit: parameters filled in, matrices expanded, datasets turned into steps, edges resolved. The ledger
/// stores it as JSON (<see cref="WireJson"/>); nothing of the YAML is needed afterwards.
/// </summary>
public sealed record PipelinePlan
{
    /// <summary>The pipeline's name.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for, as its file says; empty when it does not.</summary>
    public string Description { get; init; } = "";

    /// <summary>Every step, each after the steps it needs.</summary>
    public required IReadOnlyList<PlannedStep> Steps { get; init; }

    /// <summary>What starts the pipeline by itself.</summary>
    public IReadOnlyList<PlannedTrigger> Triggers { get; init; } = [];

    /// <summary>Who is told when a run of it ends.</summary>
    public IReadOnlyList<PlannedNotice> Notices { get; init; } = [];

    /// <summary>Values of the parameters, by name.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();
}

/// <summary>One step of a plan.</summary>
public sealed record PlannedStep
{
    /// <summary>Name within the plan, kebab-case.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for, as the file says; empty when it does not.</summary>
    public string Description { get; init; } = "";

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>
    /// Options: valid, units resolved, defaults filled in. An option that became an input reads <c>input:AS</c>, so no path
    /// and no step name gets into the step key.
    /// </summary>
    public required JsonElement Options { get; init; }

    /// <summary>Artifacts the step reads, in a fixed order that is part of its key.</summary>
    public required IReadOnlyList<PlannedInput> Inputs { get; init; }

    /// <summary>Steps that must have succeeded first: those of the inputs, of <c>needs</c> and of <c>when</c>; without repeats.</summary>
    public required IReadOnlyList<string> Needs { get; init; }

    /// <summary>Condition over metrics of earlier steps, or null to run always.</summary>
    public string? When { get; init; }

    /// <summary>Attempts after the first when the failure is transient.</summary>
    public RetryPolicy Retry { get; init; } = new();

    /// <summary>Longest time for one attempt, or null.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Device class: <c>cpu</c> or <c>cuda</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Higher runs first.</summary>
    /// <value>0</value>
    public int Priority { get; init; }

    /// <summary>Whether the file names the step; false for the dataset steps the planner adds.</summary>
    public bool IsImplicit { get; init; }

    /// <summary>Where the step stands in the file, from 1.</summary>
    public int Line { get; init; }
}

/// <summary>One artifact that a step reads.</summary>
public sealed record PlannedInput
{
    /// <summary>The step that makes it; for an artifact that exists already, how the file names it (<c>model:demo@stable</c>).</summary>
    public required string Step { get; init; }

    /// <summary>Which output of that step (<see cref="OutputNames"/>).</summary>
    public required string Output { get; init; }

    /// <summary>
    /// What it is for the step that reads it, and <see cref="StepInput.Output"/> of the assignment: the option's path
    /// (<c>from</c>, <c>data</c>, <c>calibration.data</c>), else the name of the output (<c>model</c>, <c>report</c>).
    /// </summary>
    public required string As { get; init; }

    /// <summary>The artifact when it exists already (a registered model), else null.</summary>
    public ManifestRef? Artifact { get; init; }
}

/// <summary>One trigger under <c>on</c>: what starts the pipeline by itself.</summary>
/// <param name="Event">Name of a <see cref="Triggers.TriggerKind"/>.</param>
/// <param name="Settings">Filters and guards, normalised.</param>
public sealed record PlannedTrigger(string Event, JsonElement Settings)
{
    /// <summary>Its name, which tells it from others of its event in the pipeline; null when it has none.</summary>
    public string? Name => Settings.ValueKind == JsonValueKind.Object && Settings.TryGetProperty("name", out var name) ? name.GetString() : null;

    /// <summary>What it is called within its pipeline: the event, and its name after a dot when it has one.</summary>
    public string Label => Name is { } name ? $"{Event}.{name}" : Event;
}

/// <summary>One name under <c>notify</c>: somebody who is told of an end of the run.</summary>
/// <param name="End">Which end.</param>
/// <param name="Target">Name of the setting that says who it is, and how they are told.</param>
public sealed record PlannedNotice(RunState End, string Target);

/// <summary>How often a step is tried.</summary>
public sealed record RetryPolicy
{
    /// <summary>Attempts in all.</summary>
    /// <value>3</value>
    public int Attempts { get; init; } = 3;

    /// <summary>Longest <see cref="Backoff"/>.</summary>
    public static readonly TimeSpan LongestBackoff = TimeSpan.FromHours(1);

    /// <summary>Wait before the second attempt; doubled for each one after until 5 minutes, and spread by up to a quarter.</summary>
    /// <value>5 seconds</value>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(5);
}
