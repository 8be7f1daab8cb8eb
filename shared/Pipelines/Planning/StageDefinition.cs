using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Planning;

/// <summary>What the planner knows about a stage kind.</summary>
public sealed record StageDefinition
{
    /// <summary>The kind, as in <c>uses</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>What its options are.</summary>
    public required OptionSchema Schema { get; init; }

    /// <summary>The options record, when its code is in this process: its validators then run while planning.</summary>
    public Type? OptionsType { get; init; }

    /// <summary>What the stage says of itself.</summary>
    public StageTraits Traits { get; init; } = new();

    /// <summary>Whether its steps make datasets, so that a source named in an option becomes a step of this kind.</summary>
    public bool MakesDatasets => Traits.Outputs is [OutputNames.Data, ..];

    /// <summary>From an options record in this process.</summary>
    public static StageDefinition For(string kind, Type optionsType, StageTraits? traits = null) =>
        new() { Kind = kind, Schema = OptionSchema.For(optionsType), OptionsType = optionsType, Traits = traits ?? new StageTraits() };

    /// <summary>From what a worker advertised.</summary>
    public static StageDefinition From(StageAdvertised stage) =>
        new() { Kind = stage.Kind, Schema = OptionSchema.FromJson(stage.Schema), Traits = stage.Traits ?? new StageTraits() };
}
