using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.Tokenizers;

namespace Espalier.CptTrainer.Training;

/// <summary>The report of a training run, <c>report.json</c>.</summary>
public sealed record TrainReport
{
    /// <summary>Weights in all.</summary>
    public required long TotalParameters { get; init; }

    /// <summary>Weights that one token uses.</summary>
    public required long ActiveParameters { get; init; }

    /// <summary>Mean over the run of the weights that were not pruned; null where none were.</summary>
    public double? AverageParameters { get; init; }

    /// <summary>Loss curve.</summary>
    public required IReadOnlyList<HistoryPoint> History { get; init; }

    /// <summary>Shape of the learning rate.</summary>
    public required LearningRateSchedule Schedule { get; init; }

    /// <summary>Losses on held-out text, the first before training; empty where none were measured.</summary>
    public required IReadOnlyList<HeldOutPoint> HeldOut { get; init; }

    /// <summary>What the end of the curve was expected to be, and from what law.</summary>
    public required IReadOnlyList<ForecastPoint> Forecasts { get; init; }

    /// <summary>The whole curve as it was expected half way, to be seen beside the history.</summary>
    public required IReadOnlyList<ExpectedPoint> ExpectedCurve { get; init; }

    /// <summary>Expert load over the run.</summary>
    public required IReadOnlyList<LoadSnapshot> Load { get; init; }

    /// <summary>Per layer, evenness of the last snapshot.</summary>
    public required IReadOnlyList<LoadMetrics> Balance { get; init; }

    /// <summary>Share of the sequences that each domain of the data gave.</summary>
    public required IReadOnlyDictionary<string, double> Mixture { get; init; }

    /// <summary>The stages of the data, where the mixture changes over the run; left out where it does not.</summary>
    public IReadOnlyList<DrawnStage>? Curriculum { get; init; }

    /// <summary>What was read of each domain whose samples were pruned; left out where none were.</summary>
    public IReadOnlyDictionary<string, SampleUse>? PrunedSamples { get; init; }

    /// <summary>Largest learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Sequences per micro-batch.</summary>
    public required int Batch { get; init; }

    /// <summary>Micro-batches per optimizer step.</summary>
    public required int Accumulate { get; init; }

    /// <summary>What was left to the trainer, and what it chose.</summary>
    public required IReadOnlyList<string> Choices { get; init; }

    /// <summary>How often each domain of the data was read through.</summary>
    public required IReadOnlyDictionary<string, double> Epochs { get; init; }

    /// <summary>How documents began.</summary>
    public required BosReport Bos { get; init; }

    /// <summary>Numbers that conditions and tables read.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>What whoever uses the model must know, see <see cref="StageResult.Notes"/>.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Publishes the report of a run with these options, whose numbers are chosen.</summary>
    public static async Task<ManifestRef> SaveAsync(
        StageContext context, TrainOptions options, ModelConfig config, TrainPlan plan, TrainingRecord record, TrainingData data,
        IReadOnlyDictionary<string, double> metrics, IReadOnlyList<string> notes, Parent model, CancellationToken cancellationToken)
    {
        var report = new TrainReport
        {
            TotalParameters = config.TotalParameters,
            ActiveParameters = config.ActiveParameters,
            AverageParameters = options.Sparsify is null ? null : metrics[Sparsification.AverageName],
            History = record.History,
            Schedule = plan.Schedule,
            HeldOut = record.HeldOut,
            Forecasts = record.Forecasts,
            ExpectedCurve = Forecast.CurveOf(record, plan),
            Load = record.Load,
            Balance = [.. record.Load[^1].Layers.Select(LoadMetrics.Of)],
            LearningRate = options.LearningRate,
            Batch = options.Batch,
            Accumulate = options.Accumulate,
            Choices = TrainChoices.Describe(context.ReadOptions<TrainOptions>(), options, config),
            Mixture = data.Mixture,
            Curriculum = data.Curriculum,
            PrunedSamples = data.Samples(plan.Steps),
            Epochs = data.Epochs(plan.Steps),
            Bos = data.Bos,
            Metrics = metrics,
            Notes = notes,
        };
        using var writer = new CheckpointWriter(context.Artifacts, ArtifactKind.Report);
        await writer.AddFileAsync("report.json", CanonicalJson.Serialize(report), cancellationToken).ConfigureAwait(false);
        writer.AddParent(model);
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }
}
