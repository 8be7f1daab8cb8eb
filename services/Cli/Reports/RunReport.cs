using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Study;

namespace Espalier.Cli.Reports;

/// <summary>The end of a run: rows for the table, and the HTML page.</summary>
public sealed class RunReport
{
    private readonly ReportContent _content;

    private RunReport(ReportContent content) => _content = content;

    /// <summary>One row per model that the run made, in pipeline order.</summary>
    public IReadOnlyList<ModelRow> Rows => _content.Rows;

    /// <summary>What the numbers say about growing, in sentences; empty when the run has no control to compare with.</summary>
    public IReadOnlyList<string> Verdict => _content.Verdict;

    /// <summary>Bits per byte of <c>xz -9</c> on the same held-out text, or null when it was not measured.</summary>
    public double? XzBitsPerByte => _content.XzBitsPerByte;

    /// <summary>Reads manifests and reports of a run.</summary>
    public static async Task<RunReport> CreateAsync(ArtifactStore store, RunSummary run, CancellationToken cancellationToken)
    {
        var scores = Scores(run);
        var rows = new List<ModelRow>();
        var curves = new List<LossCurve>();
        var loads = new List<ExpertLoad>();
        var differences = new List<LossDifference>();
        var seen = new Dictionary<string, double>();
        var active = new Dictionary<string, double>();
        foreach (var step in run.Steps)
        {
            using var report = await ReportReader.OpenAsync(store, step, cancellationToken).ConfigureAwait(false);
            var before = step.Needs.Select(n => seen.GetValueOrDefault(n)).DefaultIfEmpty(0).Max();
            seen[step.Name] = before;
            if (step.Kind == StageKinds.Train && report is not null && ReportReader.History(report.RootElement) is { Count: > 0 } history)
            {
                curves.Add(new LossCurve(step.Name, history, before));
                seen[step.Name] = before + history[^1].Tokens;
            }
            if (step.Kind == StageKinds.Train && report is not null && StudyModels.Active(report.RootElement) is { } weights)
                active[step.Name] = weights;
            if (step.Kind == StageKinds.Evaluate && report is not null)
            {
                loads.AddRange(ReportReader.Loads(report.RootElement));
                differences.AddRange(ReportReader.Differences(report.RootElement));
            }
            if (step.Kind != StageKinds.Register && step.Outputs.TryGetValue(OutputNames.Model, out var model))
                rows.Add(await RowAsync(store, step, model, scores, cancellationToken).ConfigureAwait(false));
        }
        var models = StudyModels.Of(run, rows, active);
        var study = GrowthStudy.Find(models);
        return new RunReport(new ReportContent
        {
            Study = study,
            Run = run,
            Rows = rows,
            Curves = curves,
            Loads = loads,
            Lineage = [.. run.Steps.Select(s => Box(s, rows))],
            Verdict = study is null ? GrowthVerdict.Write(run, rows, differences, models) : StudyTable.Sentences(study),
            XzBitsPerByte = scores.TryGetValue("xz.bits-per-byte", out var xz) ? xz : null,
        });
    }

    /// <summary>Writes the page to a file; the folder is created when needed, and the file appears whole.</summary>
    public async Task WriteHtmlAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        await WriteAsync(path, HtmlReport.Write(_content), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Writes a study's table (Markdown) and plot (SVG) beside the page; returns the table's path, or null when the run is not
    /// a study.
    /// </summary>
    public async Task<string?> WriteStudyAsync(string page, CancellationToken cancellationToken)
    {
        if (_content.Study is not { } study)
            return null;
        var (table, plot) = (Path.ChangeExtension(page, ".md"), Path.ChangeExtension(page, ".svg"));
        await WriteAsync(plot, StudyPlot.File(study), cancellationToken).ConfigureAwait(false);
        await WriteAsync(table, StudyTable.Markdown(study, _content.Run.Name, Path.GetFileName(plot)), cancellationToken).ConfigureAwait(false);
        return table;
    }

    private static async Task WriteAsync(string path, string text, CancellationToken cancellationToken)
    {
        var temporary = path + ".part";
        await File.WriteAllTextAsync(temporary, text, cancellationToken).ConfigureAwait(false);
        File.Move(temporary, path, overwrite: true);
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

    // What this model adds to its parents in the store: blobs, each counted once, and the manifest.
    private static async Task<long> NewBytesAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        return await StoreUsage.NewBytesAsync(store, root, [.. manifest.Parents.Select(p => p.Manifest)], cancellationToken).ConfigureAwait(false);
    }

    private static LineageBox Box(StepSummary step, List<ModelRow> rows)
    {
        var row = rows.FirstOrDefault(r => r.Model == step.Name);
        var detail = row?.TotalParameters is { } count ? RunTable.Count(count) : "";
        return new LineageBox(step.Name, step.Kind, detail, step.Needs, step.State.ToString().ToLowerInvariant());
    }
}
