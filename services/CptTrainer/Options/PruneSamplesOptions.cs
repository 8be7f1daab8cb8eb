using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>How samples are pruned.</summary>
public enum SamplePruning
{
    /// <summary>SeTa: a window that moves from easy to hard samples.</summary>
    Seta,
}

/// <summary>Which sequences are trained on when.</summary>
public sealed record PruneSamplesOptions
{
    /// <summary>How samples are pruned.</summary>
    /// <value>seta</value>
    [Option("seta: a window over groups of sequences by their loss, which moves from easy to hard ones.")]
    public SamplePruning Method { get; init; } = SamplePruning.Seta;

    /// <summary>Groups of sequences.</summary>
    /// <value>10</value>
    [Option("Groups of a domain's sequences, by k-means of their loss.", Min = 2, Max = 1000)]
    public int Groups { get; init; } = 10;

    /// <summary>Share of the groups in a window.</summary>
    /// <value>0.5</value>
    [Option("Share of the groups that a round trains on.", Min = 1e-3, Max = 1)]
    public double Scale { get; init; } = 0.5;

    /// <summary>Share of the rounds with windows.</summary>
    /// <value>0.875</value>
    [Option("Share of the rounds after which all groups are trained on again.", Min = 0, Max = 1)]
    public double Delta { get; init; } = 0.875;

    /// <summary>Parts of the run.</summary>
    /// <value>8</value>
    [Option("Equal parts of the run, in place of epochs: the first trains on all groups, each next one on the next window.", Min = 2, Max = 10_000)]
    public int Rounds { get; init; } = 8;
}

/// <summary>Losses must say something, and be the same for all who train.</summary>
internal sealed class PruneSamplesRules : AbstractValidator<TrainOptions>
{
    public PruneSamplesRules()
    {
        When(options => options.PruneSamples is not null, () =>
        {
            RuleFor(options => options.Model).Null()
                .WithMessage("'prune-samples' groups text by the loss of the model that training continues from, and a new model has not learnt anything: "
                    + "leave it out");
            RuleFor(options => options.Skip).Equal(0)
                .WithMessage("'prune-samples' plans the whole run, and 'skip' goes on with one that another model began: leave one of them out");
            RuleFor(options => options.Workers).Must(workers => workers is not > 1)
                .WithMessage("'prune-samples' is for one worker: leave 'workers' out, or 'prune-samples'");
        });
    }
}
