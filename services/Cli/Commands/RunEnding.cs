using Espalier.Cli.Hosting;
using Espalier.Cli.Progress;
using Espalier.Cli.Reports;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;

namespace Espalier.Cli.Commands;

/// <summary>Follows a run to its end and reports it: table, HTML page, JSON, exit code.</summary>
internal static class RunEnding
{
    public static async Task<int> FollowAsync(
        Terminal terminal, EspalierHome home, EmbeddedHost host, Guid runId, bool isJson, CancellationToken cancellationToken)
    {
        var watcher = new RunWatcher(host, runId);
        var run = terminal.IsInteractive
            ? await LiveBoard.DrawAsync(terminal.Progress(), TimeProvider.System, board => watcher.WatchAsync(board, cancellationToken)).ConfigureAwait(false)
            : await watcher.WatchAsync(new PlainBoard(terminal, TimeProvider.System), cancellationToken).ConfigureAwait(false);

        // An interrupted run gets a report of what was finished.
        var summary = await RunSummary.OfAsync(host.Store, run, CancellationToken.None).ConfigureAwait(false);
        var origin = new ReportOrigin(run, await host.Runs.FindSourceAsync(runId, CancellationToken.None).ConfigureAwait(false));
        var report = await RunReport.CreateAsync(host.Store, summary, origin, CancellationToken.None).ConfigureAwait(false);
        var page = Path.Combine(home.ReportsFolder, $"{run.Name}-{runId.ToString("N")[^8..]}.html");
        await report.WriteHtmlAsync(page, CancellationToken.None).ConfigureAwait(false);
        var study = await report.WriteStudyAsync(page, CancellationToken.None).ConfigureAwait(false);
        if (isJson)
            terminal.WriteJsonLine(
                new
                {
                    Run = run.RunId,
                    run.State,
                    Steps = DescribeSteps(summary, run),
                    run.Name,
                    run.Label,
                    run.Message,
                    Duration = summary.Duration.TotalSeconds,
                    Models = report.Rows,
                    report.Verdict,
                    report.XzBitsPerByte,
                    Report = page,
                    Study = study,
                });
        else
            Print(terminal, report, page, study);
        return RunOutcome.ExitCode(terminal, run, $"Continue with: espalier resume {run.Label}   or run the file again; finished steps are kept.");
    }

    private static Dictionary<string, object> DescribeSteps(RunSummary summary, RunView run) => run.Steps.Zip(summary.Steps).ToDictionary(
        s => s.First.Name,
        s => (object)new
        {
            s.First.State, s.First.Attempts, Root = RunOutcome.RootOf(s.First), s.First.Kind, Key = s.First.Key?.Hex, s.First.Message,
            s.First.Notes, s.Second.Outputs, s.Second.Metrics, s.Second.Measured, Seconds = s.Second.Duration.TotalSeconds, s.Second.PeakMemoryBytes,
        });

    private static void Print(Terminal terminal, RunReport report, string page, string? study)
    {
        if (report.Rows.Count > 0)
            terminal.Write(RunTable.Create(report.Rows, report.XzBitsPerByte));
        foreach (var sentence in report.Verdict)
            terminal.Output.WriteLine(sentence);
        terminal.Output.WriteLine($"Report: {page}");
        if (study is not null)
            terminal.Output.WriteLine($"Table:  {study}");
    }
}
