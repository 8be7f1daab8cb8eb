using Espalier.CptTrainer.Options;
using Espalier.Datasets;
using Espalier.Pipelines.Options;
using FluentValidation;
using FluentValidation.Results;

namespace Espalier.CptTrainer;

/// <summary>Options of the stage <c>dataset</c>.</summary>
public sealed record DatasetOptions
{
    /// <summary>Where the text comes from.</summary>
    [Option("Where the text comes from: " + ArtifactForms.SourceForms + ".")]
    public string? Source { get; init; }

    /// <summary>Digest of the user's files.</summary>
    [Option("Digest of the content behind a path, so that changed text is new work; the planner fills it in.")]
    public string? Fingerprint { get; init; }

    /// <summary>Several sources, each a domain or several.</summary>
    [Option("Several sources instead of one: each is a domain, or keeps the domains of its corpus; with weights, training draws from them by these.")]
    public IReadOnlyList<DataSource>? Sources { get; init; }

    /// <summary>Size limit.</summary>
    [Option("At most so many bytes of text per domain, chosen by a hash of the document's name.", Kind = OptionKind.Size, Min = 1)]
    public long? Limit { get; init; }

    /// <summary>Which duplicates are left out.</summary>
    /// <value>exact</value>
    [Option("exact: documents with the text of an earlier one are left out; near: those too that are nearly the same (MinHash over five words in a row, "
        + "similarity 0.8); none.")]
    public Deduplication Deduplicate { get; init; } = Deduplication.Exact;

    /// <summary>What happens to training text that holds evaluation items.</summary>
    /// <value>report</value>
    [Option("What happens to training documents that share 13 words in a row with an evaluation question: report counts them, drop leaves them out, "
        + "fail refuses the dataset.")]
    public ContaminationAction Contamination { get; init; } = ContaminationAction.Report;

    /// <summary>Which training documents are kept.</summary>
    /// <value>all</value>
    [Option("Keep a share of the training documents, chosen by what they say; left out: all.")]
    public KeepOptions? Keep { get; init; }

    /// <summary>More evaluation items.</summary>
    [Option("A dataset whose texts and questions are evaluation items too; left out: the questions of this dataset alone.", Kind = OptionKind.Dataset)]
    public string? Against { get; init; }
}

/// <summary>Rules over several options of the stage <c>dataset</c>.</summary>
internal sealed class DatasetOptionsValidator : AbstractValidator<DatasetOptions>
{
    public DatasetOptionsValidator()
    {
        RuleFor(o => o.Source).NotNull().When(o => o.Sources is not { Count: > 0 })
            .WithMessage($"'source' is missing: {ArtifactForms.SourceForms}; or give several in 'sources'");
        RuleFor(o => o.Source).Null().When(o => o.Sources is { Count: > 0 })
            .WithMessage("'source' and 'sources' exclude each other: put the one among the others");
        RuleFor(o => o.Sources!).Custom((sources, context) =>
        {
            foreach (var problem in DataSourceRules.Problems(sources))
                context.AddFailure(new ValidationFailure($"Sources[{problem.Index}].{problem.Option}", problem.Message));
        }).When(o => o.Sources is { Count: > 0 });
    }
}
