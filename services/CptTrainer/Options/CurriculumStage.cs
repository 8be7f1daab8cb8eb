using Espalier.Pipelines.Options;
using FluentValidation;
using FluentValidation.Results;

namespace Espalier.CptTrainer.Options;

/// <summary>A part of a run with its own mixture of domains.</summary>
public sealed record CurriculumStage
{
    /// <summary>Where the next stage begins.</summary>
    [Option("Share of the run at which the next stage begins, counted from the beginning of the order of the data, what 'skip' passes over included; "
        + "every stage but the last has one.", Min = 0, Max = 1)]
    public double? Until { get; init; }

    /// <summary>Share of each domain.</summary>
    [Option("Weight of each domain of the data in this stage, by name; domains left out get none.", Required = true, Min = 0, Max = 1e9)]
    public IReadOnlyDictionary<string, double> Mixture { get; init; } = new Dictionary<string, double>();
}

/// <summary>Stages in order, each with something to draw from.</summary>
internal sealed class CurriculumRules : AbstractValidator<TrainOptions>
{
    public CurriculumRules()
    {
        RuleFor(options => options.Mixture)
            .Must(mixture => mixture is not { Count: > 0 }).When(options => options.Curriculum is not null)
            .WithMessage("'mixture' is one for the whole run and 'curriculum' has one for each stage: leave one of them out");
        RuleFor(options => options.Curriculum!).Custom((stages, context) =>
        {
            if (stages.Count < 2)
                context.AddFailure($"'curriculum' has {(stages.Count == 0 ? "no stage" : "one stage")}: write the weights of one mixture in 'mixture', or two "
                    + "stages at least");
            else
                AddProblems(stages, context);
        }).When(options => options.Curriculum is not null);
    }

    private static void AddProblems(IReadOnlyList<CurriculumStage> stages, ValidationContext<TrainOptions> context)
    {
        var earlier = 0.0;
        for (var i = 0; i < stages.Count; i++)
        {
            if (UntilProblem(stages[i].Until, earlier, isLast: i == stages.Count - 1) is { } problem)
                Add(i, nameof(CurriculumStage.Until), problem);
            if (stages[i].Mixture.Values.Sum() <= 0)
                Add(i, nameof(CurriculumStage.Mixture), "draws from nothing: give at least one domain a weight above 0");
            earlier = Math.Max(earlier, stages[i].Until ?? 0);
        }

        void Add(int stage, string option, string problem) => context.AddFailure(
            new ValidationFailure($"Curriculum[{stage}].{option}", $"stage {stage + 1} of {stages.Count} in 'curriculum' {problem}"));
    }

    private static string? UntilProblem(double? until, double earlier, bool isLast) => (until, isLast) switch
    {
        (null or 1, true) => null,
        (_, true) => "is the last and goes on to the end of the run: leave its 'until' out, or add a stage behind it",
        (null, false) => "has no 'until': say at what share of the run the next stage begins, such as 0.6",
        ({ } end, false) when end <= earlier => FormattableString.Invariant(
            $"ends at {end}, and the one before it at {earlier}: 'until' must rise from stage to stage, from above 0"),
        (>= 1, false) => "ends with the run, so that nothing is left for the next: write an 'until' below 1",
        _ => null,
    };
}
