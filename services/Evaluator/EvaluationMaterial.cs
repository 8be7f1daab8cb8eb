using Espalier.Contracts;
using Espalier.Evaluator.Tasks;
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

    /// <summary>Ids for raw logits.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? Tokens { get; init; }

    /// <summary>The window length asked for, or one that every model can take.</summary>
    public static int ChooseLength(int? asked, IReadOnlyList<ModelUnderTest> models)
    {
        var shortest = models.MinBy(model => model.Config.MaxPositions)!;
        return asked > shortest.Config.MaxPositions
            ? throw new UserInputException($"'length' is {asked}, but the model of '{shortest.Step}' has {shortest.Config.MaxPositions} positions.")
            : asked ?? Math.Min(LongestDefault, shortest.Config.MaxPositions);
    }
}

/// <summary>What the passes over one model found.</summary>
internal sealed record ModelResult(ModelUnderTest Model)
{
    /// <summary>Loss per document and routing.</summary>
    public CorpusResult? Corpus { get; init; }

    /// <summary>Comparison with the reference model; null for the reference itself.</summary>
    public AgreementResult? Agreement { get; init; }

    /// <summary>Log-likelihood of each choice of each item.</summary>
    public double[][]? Choices { get; init; }

    /// <summary>A safetensors file.</summary>
    public byte[]? Logits { get; init; }
}
