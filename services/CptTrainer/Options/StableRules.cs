using Espalier.Modeling.Training;
using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>Only schedules with a stable part end it.</summary>
internal sealed class StableRules : AbstractValidator<TrainOptions>
{
    public StableRules() => RuleFor(options => options.Stable)
        .NotEqual(true).When(options => options.Schedule is not (ScheduleKind.Wsd or ScheduleKind.WsdSqrt))
        .WithMessage("'stable' keeps the model from before the decay: write 'schedule: wsd' or 'wsd-sqrt', whose rate stays until then, or leave it out");
}
