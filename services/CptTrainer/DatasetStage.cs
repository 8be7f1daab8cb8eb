using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Datasets;
using Espalier.Datasets.Packages;
using Espalier.Datasets.Selection;
using Espalier.Stages;

namespace Espalier.CptTrainer;

/// <summary>Makes a dataset artifact from corpora and from the user's own text.</summary>
public sealed class DatasetStage(PackageCache packages) : IStage
{
    private const string AgainstOption = "against";

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
        Fingerprints = new Dictionary<string, string>
        {
            [DatasetSource.SourceOption] = DatasetSource.FingerprintOption,
            [$"{DatasetSource.SourcesOption}[].from"] = DatasetSource.FingerprintOption,
        },
        Metrics = [new("train-bytes"), new("held-out-bytes"), new("duplicates"), new("near-duplicates"), new("contaminated"), new("pruned")],
        Corpora = [.. DatasetBuilder.Corpora.Select(c => c.Name)],
        DependsOnNumerics = false, // text is cleaned and split without a tensor
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<DatasetOptions>();
        IReadOnlyList<DataSource> sources = options.Sources is { Count: > 0 } several
            ? several
            : [new DataSource { From = options.Source!, Fingerprint = options.Fingerprint }];
        foreach (var source in sources.Where(s => s.Fingerprint is { Length: > 0 } && !s.IsRegistered))
        {
            if (DatasetBuilder.Fingerprint(source.From, cancellationToken) != source.Fingerprint)
                throw new UserInputException($"The text behind {source.From} changed after the run was planned: start the run again.");
        }
        var scratch = context.Cache.CreateSubdirectory("scratch");
        var builder = new DatasetBuilder(context.Artifacts, packages, scratch, context.Progress.Report, context.Progress.Log);
        var built = await builder.BuildAsync(
            new DatasetRequest
            {
                Sources =
                [
                    .. sources.Select(s => new TextSource(s.From)
                    {
                        Field = s.Field, Name = s.Name, Weight = s.Weight,
                        Root = s.IsRegistered && Digest.TryParse(s.Fingerprint ?? "", out var root) ? root : null,
                    }),
                ],
                LimitBytes = options.Limit,
                Deduplicate = options.Deduplicate,
                Contamination = options.Contamination,
                Keep = options.Keep is not { } keep ? null
                    : new KeepRequest(keep.Fraction) { Prefer = keep.Prefer, Clusters = keep.Clusters, Seed = keep.Seed },
                Against = context.Inputs.SingleOrDefault(i => i.Output == AgainstOption)?.Artifact,
            },
            cancellationToken).ConfigureAwait(false);
        var text = await TextDataset.OpenAsync(context.Artifacts, built.Reference, cancellationToken).ConfigureAwait(false);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Data] = built.Reference },
            Metrics = new Dictionary<string, double>
            {
                ["train-bytes"] = text.TextBytes(DatasetSplits.Train),
                ["held-out-bytes"] = text.TextBytes(DatasetSplits.HeldOut),
                ["duplicates"] = built.Duplicates,
                ["near-duplicates"] = built.NearDuplicates,
                ["contaminated"] = built.Contaminated,
                ["pruned"] = built.Pruned,
            },
        };
    }
}
