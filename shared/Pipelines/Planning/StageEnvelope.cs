using Espalier.Contracts;
using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Planning;

/// <summary>What surrounds the options of a stage in the file: everything but <c>with</c> and <c>matrix</c>.</summary>
internal sealed record StageEnvelope
{
    [Option("Stage kind, such as train, upcycle or evaluate.", Required = true)]
    public string Uses { get; init; } = "";

    [Option("What the step is for, for people.")]
    public string Description { get; init; } = "";

    [Option("Steps that must succeed first; their models become inputs.")]
    public IReadOnlyList<string> Needs { get; init; } = [];

    [Option("Condition over metrics of earlier steps; the step is skipped when it is false.")]
    public string? When { get; init; }

    [Option("How often the step is tried.")]
    public RetryBlock Retry { get; init; } = new();

    [Option("Longest time for one attempt.")]
    public TimeSpan? Timeout { get; init; }

    [Option("Device class; kubernetes runs a command as a Job of a cluster.", Choices = [DeviceNames.Cpu, DeviceNames.Cuda, DeviceNames.Kubernetes])]
    public string Device { get; init; } = "cpu";

    [Option("Higher runs first.", Min = -1000, Max = 1000)]
    public int Priority { get; init; }
}

/// <summary><c>retry: 5</c> or <c>retry: { attempts: 5, backoff: 30s }</c>.</summary>
internal sealed record RetryBlock
{
    [Option("Attempts in all.", Min = 1, Max = 100)]
    public int Attempts { get; init; } = new RetryPolicy().Attempts;

    [Option("Wait before the second attempt, doubled for each one after until 5 minutes.")]
    public TimeSpan Backoff { get; init; } = new RetryPolicy().Backoff;
}

/// <summary>Rules over several keys of a stage.</summary>
internal sealed class StageEnvelopeValidator : AbstractValidator<StageEnvelope>
{
    private const int LongestDescription = 10_000;

    public StageEnvelopeValidator()
    {
        RuleFor(stage => stage.Description).MaximumLength(LongestDescription)
            .WithMessage($"'description' may have {LongestDescription} characters at most");
        RuleFor(stage => stage.Timeout).Must(timeout => timeout >= TimeSpan.FromSeconds(1)).When(stage => stage.Timeout is not null)
            .WithMessage("'timeout' must be at least 1s");
        RuleFor(stage => stage.Retry.Backoff).LessThanOrEqualTo(RetryPolicy.LongestBackoff).WithMessage("'retry.backoff' must be at most 1h");
        RuleFor(stage => stage.Needs).Must(needs => needs.Distinct().Count() == needs.Count).WithMessage("'needs' names a step twice");
    }
}
