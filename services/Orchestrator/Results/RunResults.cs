using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Study;

namespace Espalier.Orchestrator.Results;

/// <summary>What a run found: its models with their numbers, and what these say in words. Everybody who shows a run's results shows these.</summary>
public sealed record RunResults
{
    /// <summary>One row per model that the run made, in pipeline order.</summary>
    public required IReadOnlyList<ModelRow> Models { get; init; }

    /// <summary>Held-out loss of one model less that of another, where an evaluation measured both; each pair both ways.</summary>
    public required IReadOnlyList<LossDifference> Differences { get; init; }

    /// <summary>What the numbers say about growing, in sentences; empty when the run has no control to compare with.</summary>
    public required IReadOnlyList<string> Verdict { get; init; }

    /// <summary>Bits per byte of <c>xz -9</c> on the same held-out text, or null when it was not measured.</summary>
    public double? XzBitsPerByte { get; init; }

    /// <summary>The study over seeds that the run is; null when it is none.</summary>
    [JsonIgnore]
    public GrowthStudy? Study { get; init; }

    /// <summary>Its trained and scored models, as studies compare them.</summary>
    [JsonIgnore]
    public IReadOnlyList<StudyModel> Trained { get; init; } = [];

    /// <summary>Reads manifests and reports of a run.</summary>
    /// <param name="store">The store.</param>
    /// <param name="run">The run.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="onReport">Gets every report that is read, in pipeline order, for whoever shows more of it.</param>
    public static async Task<RunResults> ReadAsync(
        ArtifactStore store, RunSummary run, CancellationToken cancellationToken, Action<StepSummary, JsonElement>? onReport = null)
    {
        var scores = Scores(run);
        var rows = new List<ModelRow>();
        var differences = new List<LossDifference>();
        var active = new Dictionary<string, double>();
        foreach (var step in run.Steps)
        {
            using var report = step.Kind is StageKinds.Train or StageKinds.Evaluate
                ? await ReportReader.OpenAsync(store, step, cancellationToken).ConfigureAwait(false)
                : null;
            if (report is not null)
                onReport?.Invoke(step, report.RootElement);
            if (step.Kind == StageKinds.Train && report is not null && StudyModels.Active(report.RootElement) is { } weights)
                active[step.Name] = weights;
            if (step.Kind == StageKinds.Evaluate && report is not null)
                differences.AddRange(ReportReader.Differences(report.RootElement));
            if (step.Kind != StageKinds.Register && step.Outputs.TryGetValue(OutputNames.Model, out var model))
                rows.Add(await RowAsync(store, step, model, scores, cancellationToken).ConfigureAwait(false));
        }
        var models = StudyModels.Of(run, rows, active, scores);
        var study = GrowthStudy.Find(models);
        return new RunResults
        {
            Models = rows,
            Differences = differences,
            Verdict = study is null ? GrowthVerdict.Write(run, rows, differences, models) : StudyTable.Sentences(study),
            XzBitsPerByte = scores.TryGetValue("xz.bits-per-byte", out var xz) ? xz : null,
            Study = study,
            Trained = models,
        };
    }

    private static Dictionary<string, double> Scores(RunSummary run)
    {
        var scores = new Dictionary<string, double>();
        foreach (var (name, value) in run.Steps.Where(s => s.Kind == StageKinds.Evaluate).SelectMany(s => s.Metrics.Concat(s.Measured)))
            scores[name] = value;
        return scores;
    }

    private static async Task<ModelRow> RowAsync(
        ArtifactStore store, StepSummary step, ManifestRef model, Dictionary<string, double> scores, CancellationToken cancellationToken)
    {
        double? Score(string metric) => scores.TryGetValue($"{step.Name}.{metric}", out var value) ? value : null;
        double? Own(string metric) => step.Metrics.TryGetValue(metric, out var value) ? value : null;
        return new ModelRow
        {
            Model = step.Name,
            Kind = step.Kind,
            Root = model.Root,
            TotalParameters = Score("total-parameters") ?? Own("total-parameters"),
            ActiveParameters = Score("active-parameters") ?? Own("active-parameters"),
            StoredBytes = model.SizeBytes,
            NewBytes = await NewBytesAsync(store, model.Root, cancellationToken).ConfigureAwait(false),
            Loss = Score("loss"),
            LossLow = Score("loss-low"),
            LossHigh = Score("loss-high"),
            BitsPerByte = Score("bits-per-byte"),
            TokensPerSecond = step.Measured.TryGetValue("tokens-per-second", out var rate) ? rate : Score("tokens-per-second"),
            Seconds = step.Duration.TotalSeconds,
            Cached = step.State == StepState.Cached,
        };
    }

    /// <summary>What an artifact adds to its parents in the store: blobs, each counted once, and the manifest; 0 when it is no longer stored.</summary>
    internal static async Task<long> NewBytesAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            return await StoreUsage.NewBytesAsync(store, root, [.. manifest.Parents.Select(p => p.Manifest)], cancellationToken).ConfigureAwait(false);
        }
        catch (MissingBlobException)
        {
            return 0;
        }
    }
}
