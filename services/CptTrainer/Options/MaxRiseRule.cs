using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>A loss that has not risen is no reason to stop.</summary>
internal sealed class MaxRiseRule : AbstractValidator<TrainOptions>
{
    public MaxRiseRule() => RuleFor(options => options.MaxRise)
        .GreaterThan(1).When(options => options.MaxRise != 0)
        .WithMessage("'max-rise' says how many times its lowest value the loss may be: write a number above 1, such as 1.5, or 0 for no limit");
}
