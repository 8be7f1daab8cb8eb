using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Planning;

namespace Espalier.Stages;

/// <summary>What planning needs of a stage whose code is in this process.</summary>
public static class StageCodes
{
    /// <summary>The stage's code for step keys.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="numericsClass">Asked only where the result depends on it: the answer may load the tensor library.</param>
    public static StageCode CodeOn(this IStage stage, Func<string> numericsClass) =>
        new(stage.Kind, StageVersion.Of(stage.GetType()), stage.Traits.DependsOnNumerics ? numericsClass() : NumericsClasses.Any, stage.Traits);

    /// <summary>The stage for the planner, with its validators.</summary>
    public static StageDefinition Definition(this IStage stage) => StageDefinition.For(stage.Kind, stage.OptionsType, stage.Traits);
}
