using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Results;
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
    public static async Task<RunReport> CreateAsync(ArtifactStore store, RunSummary run, ReportOrigin origin, CancellationToken cancellationToken)
    {
        var curves = new List<LossCurve>();
        var loads = new List<ExpertLoad>();
        var histories = new Dictionary<string, IReadOnlyList<(double Tokens, double Loss)>>();
        var trained = new List<TrainingCurves>();
        var results = await RunResults.ReadAsync(store, run, cancellationToken, (step, report) =>
        {
            if (step.Kind == StageKinds.Train && ReportReader.History(report) is { Count: > 0 } history)
            {
                histories[step.Name] = history;
                trained.Add(TrainingCurves.Read(step.Name, report));
            }
            if (step.Kind == StageKinds.Evaluate)
                loads.AddRange(ExpertLoad.Of(report));
        }).ConfigureAwait(false);
        var seen = new Dictionary<string, double>();
        foreach (var step in run.Steps)
        {
            var before = step.Needs.Select(n => seen.GetValueOrDefault(n)).DefaultIfEmpty(0).Max();
            seen[step.Name] = before;
            if (!histories.TryGetValue(step.Name, out var history))
                continue;
            curves.Add(new LossCurve(step.Name, history, before));
            seen[step.Name] = before + history[^1].Tokens;
        }
        double Before(string step) => curves.Find(curve => curve.Name == step)?.TokensBefore ?? 0;
        return new RunReport(new ReportContent
        {
            Study = results.Study,
            Run = run,
            Origin = origin,
            Rows = results.Models,
            Curves = curves,
            Expected = [.. trained.Where(t => t.Expected.Count > 0).Select(t => new LossCurve($"{t.Step}, expected", t.Expected, Before(t.Step)))],
            HeldOut = [.. trained.SelectMany(t => t.HeldOut.Select(d => new LossCurve($"{t.Step}: {d.Key}", d.Value, Before(t.Step))))],
            Table = AnnealingTable.Markdown(trained, run.Name) ?? ArmTable.Markdown(results.Trained, run.Name),
            Loads = loads,
            Lineage = [.. run.Steps.Select(s => Box(s, results.Models))],
            Verdict = results.Verdict,
            XzBitsPerByte = results.XzBitsPerByte,
        });
    }

    /// <summary>Writes the page to a file; the folder is created when needed, and the file appears whole.</summary>
    public async Task WriteHtmlAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        await WriteAsync(path, HtmlReport.Write(_content), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Writes a study's table (Markdown) beside the page, of one about growing the plot (SVG) as well; returns the table's path, or null
    /// when the run is not a study.
    /// </summary>
    public async Task<string?> WriteStudyAsync(string page, CancellationToken cancellationToken)
    {
        var (table, plot) = (Path.ChangeExtension(page, ".md"), Path.ChangeExtension(page, ".svg"));
        if (_content.Study is not { } study)
        {
            if (_content.Table is not { } text)
                return null;
            await WriteAsync(table, text, cancellationToken).ConfigureAwait(false);
            return table;
        }
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

    private static LineageBox Box(StepSummary step, IReadOnlyList<ModelRow> rows)
    {
        var row = rows.FirstOrDefault(r => r.Model == step.Name);
        var detail = row?.TotalParameters is { } count ? ResultText.Count(count) : "";
        return new LineageBox(step.Name, step.Kind, detail, step.Needs, step.State.ToString().ToLowerInvariant());
    }
}
