using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Datasets;
using Espalier.Datasets.Packages;
using Espalier.Stages;

namespace Espalier.CptTrainer;

/// <summary>Options of the stage <c>dataset</c>.</summary>
public sealed record DatasetOptions
{
    /// <summary>Where the text comes from.</summary>
    [Option("Where the text comes from: corpus:NAME, file:PATH, dir:PATH or jsonl:PATH.", Required = true)]
    public required string Source { get; init; }

    /// <summary>Digest of the user's files.</summary>
    [Option("Digest of the content behind a path, so that changed text is new work; the planner fills it in.")]
    public string? Fingerprint { get; init; }

    /// <summary>Size limit.</summary>
    [Option("At most so many bytes of text per domain, chosen by a hash of the document's name.", Kind = OptionKind.Size, Min = 1)]
    public long? Limit { get; init; }
}

/// <summary>Makes a dataset artifact from a corpus or from the user's own text.</summary>
public sealed class DatasetStage(PackageCache packages) : IStage
{
    /// <summary>The stage with the user's package cache.</summary>
    public DatasetStage()
        : this(new PackageCache())
    {
    }

    /// <inheritdoc/>
    public string Kind => StageKinds.Dataset;

    /// <inheritdoc/>
    public Type OptionsType => typeof(DatasetOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Makes a dataset of a corpus or of files: cleaned, without duplicates, split by document. "
            + "Sources that options name get such a step by themselves.",
        Outputs = [OutputNames.Data],
        Fingerprints = new Dictionary<string, string> { [DatasetSource.SourceOption] = DatasetSource.FingerprintOption },
        Metrics = [new("train-bytes"), new("held-out-bytes")],
        Corpora = [.. DatasetBuilder.Corpora.Select(c => c.Name)],
        DependsOnNumerics = false, // text is cleaned and split without a tensor
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<DatasetOptions>();
        if (options.Fingerprint is { Length: > 0 } planned && DatasetBuilder.Fingerprint(options.Source, cancellationToken) != planned)
            throw new UserInputException($"The text behind {options.Source} changed after the run was planned: start the run again.");
        var builder = new DatasetBuilder(context.Artifacts, packages, context.Progress.Report, context.Progress.Log);
        var dataset = await builder.BuildAsync(options.Source, options.Limit, cancellationToken).ConfigureAwait(false);
        var text = await TextDataset.OpenAsync(context.Artifacts, dataset, cancellationToken).ConfigureAwait(false);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Data] = dataset },
            Metrics = new Dictionary<string, double>
            {
                ["train-bytes"] = text.TextBytes(DatasetSplits.Train),
                ["held-out-bytes"] = text.TextBytes(DatasetSplits.HeldOut),
            },
        };
    }
}
