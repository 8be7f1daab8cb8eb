using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Texts;

namespace Espalier.Evaluator;

/// <summary>What every model is measured on; a part that no task needs is null.</summary>
internal sealed record EvaluationMaterial
{
    private const int LongestDefault = 1024;

    /// <summary>Tokens of a window.</summary>
    public required int Length { get; init; }

    /// <summary>Documents for loss and routing.</summary>
    public HeldOutText? Text { get; init; }

    /// <summary>Multiple-choice items.</summary>
    public IReadOnlyList<ChoiceItem>? Items { get; init; }

    /// <summary>The window length asked for, or one that every model can take.</summary>
    public static int ChooseLength(int? asked, IReadOnlyList<ModelUnderTest> models)
    {
        var shortest = models.MinBy(model => model.Config.LongestInput)!;
        return asked > shortest.Config.LongestInput
            ? throw new UserInputException($"'length' is {asked}, but the model of '{shortest.Step}' has {shortest.Config.DescribeLongestInput()}.")
            : asked ?? Math.Min(LongestDefault, models.Min(model => model.Config.MaxPositions));
    }
}
