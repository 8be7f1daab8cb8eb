using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using FluentValidation;

namespace Espalier.Pipelines.Tests;

/// <summary>Options records as a service would have them.</summary>
internal static class SampleStages
{
    public static StageTraits Dataset { get; } = new()
    {
        Outputs = [OutputNames.Data],
        Fingerprints = new Dictionary<string, string> { ["source"] = "fingerprint", ["sources[].from"] = "fingerprint" },
        DependsOnNumerics = false,
    };

    public static StageTraits Train { get; } = new() { Outputs = [OutputNames.Model, OutputNames.TrainerState, OutputNames.Report] };

    public static StageTraits TrainWithAverage { get; } = Train with
    {
        Outputs = [.. Train.Outputs, OutputNames.Ema], OutputOptions = new Dictionary<string, string> { [OutputNames.Ema] = "from" },
    };

    public static StageTraits Prune { get; } = new();

    public static StageTraits Evaluate { get; } = new() { Outputs = [OutputNames.Report], InputNamesMatter = true };

    public static IReadOnlyCollection<StageDefinition> All { get; } =
    [
        StageDefinition.For(StageKinds.Dataset, typeof(DatasetOptions), Dataset),
        StageDefinition.For(StageKinds.Train, typeof(TrainOptions), Train),
        StageDefinition.For(StageKinds.Prune, typeof(PruneOptions), Prune),
        StageDefinition.For(StageKinds.Evaluate, typeof(EvaluateOptions), Evaluate),
        StageDefinition.For(StageKinds.Register, typeof(RegisterOptions), new StageTraits { Outputs = [], InputNamesMatter = true }),
    ];
}

internal sealed record DatasetOptions
{
    [Option("Source of the text.")]
    public string? Source { get; init; }

    [Option("Sources of the text.")]
    public IReadOnlyList<DataSource>? Sources { get; init; }

    [Option("Digest of the content.")]
    public string? Fingerprint { get; init; }

    [Option("Share kept for held-out documents.", Min = 0, Max = 0.5)]
    public double HeldOut { get; init; } = 0.1;
}

internal enum Schedule
{
    Cosine,
    WarmupStableDecay,
}

/// <summary>A number that may be a word, and a list that may be one value.</summary>
internal sealed record ChoosyOptions
{
    [Option("How large.", Min = 1, Max = int.MaxValue, Required = true, Choices = ["auto"])]
    public int Size { get; init; }

    [Option("Which.", Choices = ["routers", "experts"], AcceptsOne = true)]
    public IReadOnlyList<string> Groups { get; init; } = [];
}

internal sealed record TrainOptions
{
    [Option("Text to train on.", Kind = OptionKind.Dataset, Required = true)]
    public string Data { get; init; } = "";

    [Option("Model to go on from.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    [Option("Tokens to train on.", Kind = OptionKind.Count, Min = 1, Required = true)]
    public long Tokens { get; init; }

    [Option("Peak learning rate.", Min = 0, Max = 1)]
    public double LearningRate { get; init; } = 3e-4;

    [Option("Learning-rate schedule.")]
    public Schedule Schedule { get; init; }

    [Option("Moments.", Choices = ["reset", "continue"])]
    public string? OptimizerState { get; init; }

    [Option("Time limit.", Max = 7200)]
    public TimeSpan? Limit { get; init; }

    [Option("Memory.", Kind = OptionKind.Size)]
    public long Memory { get; init; } = 1 << 30;

    [Option("Seed.")]
    public int Seed { get; init; } = 1;

    [Option("Weights of domains.", Min = 0)]
    public IReadOnlyDictionary<string, double> Mix { get; init; } = new Dictionary<string, double>();
}

internal sealed record PruneOptions
{
    [Option("How experts are ranked.")]
    public string Method { get; init; } = "random";

    [Option("Share removed.", Min = 0, Max = 0.9)]
    public double Ratio { get; init; } = 0.25;

    [Option("Text to measure on.")]
    public Calibration? Calibration { get; init; }

    [Option("Layers to keep.")]
    public IReadOnlyList<int> Keep { get; init; } = [];
}

internal sealed record Calibration
{
    [Option("Text.", Kind = OptionKind.Dataset, Required = true)]
    public string Data { get; init; } = "";

    [Option("Samples.", Min = 1)]
    public int Samples { get; init; } = 64;
}

[MethodOptions(typeof(PruneOptions), "random")]
internal sealed class RandomPruning;

[MethodOptions(typeof(PruneOptions), "heapr")]
internal sealed record HeaprOptions
{
    [Option("Damping.", Min = 0)]
    public double Damping { get; init; } = 0.01;

    [Option("The stage's own.")]
    public double Ratio { get; init; }
}

internal sealed class PruneOptionsValidator : AbstractValidator<PruneOptions>
{
    public PruneOptionsValidator() =>
        RuleFor(o => o.Calibration!.Samples).LessThan(1000)
            .When(o => o.Calibration is not null && o.Ratio > 0.5)
            .WithMessage("at most 999 samples when the ratio is above 0.5");
}

internal sealed record EvaluateOptions
{
    [Option("What is measured.", Choices = ["validation-loss", "multiple-choice", "routing"])]
    public IReadOnlyList<string> Tasks { get; init; } = ["validation-loss"];

    [Option("Text.", Kind = OptionKind.Dataset, Required = true)]
    public string Data { get; init; } = "";
}

internal sealed record RegisterOptions
{
    [Option("Name.", Required = true)]
    public string Name { get; init; } = "";
}
