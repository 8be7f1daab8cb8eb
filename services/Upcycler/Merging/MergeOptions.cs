using Espalier.Pipelines.Options;

namespace Espalier.Upcycler.Merging;

/// <summary>Options of the stage <c>merge</c>.</summary>
public sealed record MergeOptions
{
    /// <summary>How models become one.</summary>
    [Option("How the models among the step's needs become one.", ChoicesOf = typeof(IMergeMethod), Required = true)]
    public required string Method { get; init; }

    /// <summary>One number for each model, in the order of the needs.</summary>
    /// <value>1 for each</value>
    [Option("One number for each model, in the order of 'needs'; left out: 1 each. average and slerp divide them by their sum.", Min = -100, Max = 100)]
    public IReadOnlyList<double>? Weights { get; init; }

    /// <summary>What differences are taken from.</summary>
    [Option("Model that the others were trained from: task-arithmetic, ties and dare add up what each has changed in it.", Kind = OptionKind.Model)]
    public string? Base { get; init; }

    /// <summary>What the sum of differences is multiplied by.</summary>
    /// <value>1</value>
    [Option("What the sum of the changes is multiplied by; -1 takes them away (forgetting).", Min = -100, Max = 100)]
    public double Scale { get; init; } = 1;

    /// <summary>Share of each tensor's changes that is kept.</summary>
    /// <value>0.2 for ties, 0.1 for dare</value>
    [Option("ties: share of each tensor's changes that is kept, the largest; dare: the chance that a change is kept. Left out: 0.2 and 0.1.",
        Min = 1e-6, Max = 1)]
    public double? Density { get; init; }

    /// <summary>Whether experts are paired before they are merged.</summary>
    /// <value>false</value>
    [Option("Pair the experts of the models by likeness before they are merged. Without it they are merged by number, which is refused where they "
        + "do not seem to be the same.")]
    public bool MatchExperts { get; init; }

    /// <summary>Of random numbers.</summary>
    /// <value>0</value>
    [Option("Of what dare drops.")]
    public long Seed { get; init; }
}
