using Espalier.Modeling.Training;
using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>The scope of a loss needs the loss.</summary>
internal sealed class BalanceRules : AbstractValidator<TrainOptions>
{
    public BalanceRules() => RuleFor(options => options.BalanceScope)
        .Null().When(options => options.Balance != BalanceMethod.Loss)
        .WithMessage("'balance-scope' says over which tokens the load-balancing loss is taken: write 'balance: loss' beside it, or leave it out");
}
