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

    /// <summary>What its steps make, the main output first.</summary>
    public IReadOnlyList<string> Outputs => OutputsOf(Kind);

    /// <summary>From an options record in this process.</summary>
    public static StageDefinition For(string kind, Type optionsType) =>
        new() { Kind = kind, Schema = OptionSchema.For(optionsType), OptionsType = optionsType };

    /// <summary>From what a worker advertised.</summary>
    public static StageDefinition From(StageAdvertised stage) =>
        new() { Kind = stage.Kind, Schema = OptionSchema.FromJson(stage.Schema) };

    private static IReadOnlyList<string> OutputsOf(string kind) => kind switch
    {
        StageKinds.Dataset => [OutputNames.Data],
        StageKinds.Train or StageKinds.Upcycle => [OutputNames.Model, OutputNames.TrainerState, OutputNames.Report],
        StageKinds.Evaluate => [OutputNames.Report],
        StageKinds.Register => [],
        _ => [OutputNames.Model, OutputNames.Report],
    };
}
