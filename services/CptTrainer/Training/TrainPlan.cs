using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>What the options mean in optimizer steps.</summary>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="TokensPerStep">Tokens of one step, those of all workers together.</param>
/// <param name="Schedule">Learning rate by step.</param>
public sealed record TrainPlan(long Steps, long TokensPerStep, LearningRateSchedule Schedule)
{
    private const int Snapshots = 24;
    private const int HistoryPoints = 400;
    private const double ThereAndBack = 6; // operations per weight and token, forward and backward
    private const double Forward = 2;

    /// <summary>Tokens of the whole run.</summary>
    public long Tokens => Steps * TokensPerStep;

    /// <summary>Operations per active weight and token.</summary>
    public required double OperationsPerWeight { get; init; }

    /// <summary>Steps between points of the history.</summary>
    public long HistoryEvery => Math.Max(1, Steps / HistoryPoints);

    /// <summary>Steps between snapshots of the expert load.</summary>
    public long SnapshotEvery => Math.Max(1, Steps / Snapshots);

    /// <summary>Optimizer steps that some tokens take, rounded up.</summary>
    public static long StepsOf(TrainOptions options, long tokens)
    {
        var perStep = PerStep(options);
        return (tokens + perStep - 1) / perStep;
    }

    /// <summary>Reads the options.</summary>
    /// <exception cref="UserInputException">They do not fit each other.</exception>
    public static TrainPlan Of(TrainOptions options)
    {
        if (options.SkipSpikes is > 0 and <= 1)
            throw new UserInputException(FormattableString.Invariant(
                $"skip-spikes is {options.SkipSpikes}, so half of all steps or more would be skipped: say how many times the usual norm is too much, ")
                + "such as 4, or 0 to skip none.");
        var perStep = PerStep(options);
        var steps = StepsOf(options, options.Tokens);
        return new TrainPlan(steps, perStep, new LearningRateSchedule
        {
            Kind = options.Schedule,
            Peak = options.LearningRate,
            Steps = steps,
            StartShare = options.StartRate,
            WarmUp = options.Warmup ?? Math.Min(Math.Clamp(steps / 50, 10, 100), steps / 10),
            DecayShare = options.Decay,
            FinalShare = options.FinalRate,
        })
        {
            OperationsPerWeight = ThereAndBack + (TrainChoices.CountsAhead(options) ? Forward : 0),
        };
    }

    private static long PerStep(TrainOptions options) => (long)options.Batch * options.Length * options.Accumulate * (options.Workers ?? 1);
}
