using Espalier.Pipelines.Options;
using Espalier.Pipelines.Triggers;
using FluentValidation;

namespace Espalier.Pipelines.Tests.Triggers;

/// <summary>A kind of trigger that the platform does not have: this file is all that it takes.</summary>
[Trigger("branch.pushed", "Commits arrive on a branch.", ShortForm = "branch")]
internal sealed record BranchPushedTrigger : TriggerSettings
{
    [Option("Branch that must match; * stands for any text.", Required = true)]
    public string Branch { get; init; } = "";

    [Option("Smallest number of commits.", Min = 1, Max = 100)]
    public int Commits { get; init; } = 1;
}

internal sealed class BranchPushedTriggerValidator : AbstractValidator<BranchPushedTrigger>
{
    public BranchPushedTriggerValidator() => RuleFor(t => t.Branch).Must(b => !b.Contains(' ')).WithMessage("a branch has no spaces");
}
