using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>A step while the planner works on it.</summary>
internal sealed class StepDraft
{
    public required string Name { get; init; }

    /// <summary>The entry under <c>stages</c>, or the option that made an implicit step.</summary>
    public required PlacedEntry Place { get; init; }

    /// <summary>The stage's name in the file; several steps of a matrix share it.</summary>
    public required string Block { get; init; }

    public IReadOnlyDictionary<string, PlacedNode> Combination { get; init; } = new Dictionary<string, PlacedNode>();

    public required StageEnvelope Envelope { get; init; }

    /// <summary>Null when the kind is unknown, which is reported.</summary>
    public StageDefinition? Stage { get; init; }

    public required OptionDocument Options { get; init; }

    /// <summary>The body with everything filled in, for places.</summary>
    public required PlacedNode Body { get; init; }

    public bool IsImplicit { get; init; }

    public List<PlannedInput> Inputs { get; } = [];

    /// <summary>Steps that must succeed first, each once, in order.</summary>
    public List<string> Needs { get; } = [];

    public void AddNeed(string step)
    {
        if (!Needs.Contains(step))
            Needs.Add(step);
    }

    /// <summary>Hands an artifact to the step under the option's path, and writes that into the option.</summary>
    public void AddInput(ArtifactOption option, string step, string output, ManifestRef? artifact = null)
    {
        Inputs.Add(new PlannedInput { Step = step, Output = output, As = option.Path, Artifact = artifact });
        option.Value.ReplaceWith($"{ArtifactForms.Input}{option.Path}");
        if (artifact is null)
            AddNeed(step);
    }

    public PlannedStep ToStep() => new()
    {
        Name = Name,
        Description = Envelope.Description,
        Kind = Envelope.Uses,
        Options = Options.ToElement(),
        Inputs = Inputs,
        Needs = Needs,
        When = Envelope.When,
        Retry = new RetryPolicy { Attempts = Envelope.Retry.Attempts, Backoff = Envelope.Retry.Backoff },
        Timeout = Envelope.Timeout,
        Device = Envelope.Device,
        Priority = Envelope.Priority,
        IsImplicit = IsImplicit,
        Line = Place.Line,
    };
}
