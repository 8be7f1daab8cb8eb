using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Scheduling;

namespace Espalier.Orchestrator.Ledger;

/// <summary>How much a line of a log matters.</summary>
public enum LogLineLevel
{
    /// <summary>What happens as it should.</summary>
    Info,

    /// <summary>What whoever uses the result should know, what waits, and what is tried again.</summary>
    Warning,

    /// <summary>What failed.</summary>
    Error,
}

/// <summary>One line of a run's log, readable.</summary>
/// <param name="Id">Position in the log.</param>
/// <param name="At">When.</param>
/// <param name="Step">Which step; empty for the run itself.</param>
/// <param name="Attempt">Which attempt.</param>
/// <param name="Text">What.</param>
/// <param name="Level">How much it matters.</param>
public sealed record RunLogLine(long Id, DateTimeOffset At, string Step, int Attempt, string Text, LogLineLevel Level = LogLineLevel.Info)
{
    /// <summary><c>2026-11-30 07:15:02.123 info    base#1  120k of 300k tokens</c>, the time in UTC.</summary>
    public override string ToString()
    {
        var who = Step.Length == 0 ? "run" : $"{Step}#{Attempt}";
        return FormattableString.Invariant($"{At.UtcDateTime:yyyy-MM-dd HH:mm:ss.fff} {EnumText.Of(Level),-7} {who}  {Text}");
    }
}

/// <summary>Which lines of a log.</summary>
public sealed record RunLogQuery
{
    /// <summary>Only lines of this step; null for all, and the run's own.</summary>
    public string? Step { get; init; }

    /// <summary>Only lines after this position.</summary>
    public long After { get; init; }

    /// <summary>Only lines that matter at least so much.</summary>
    public LogLineLevel Level { get; init; }

    /// <summary>Only lines in which this text occurs, in capitals or not.</summary>
    public string? Search { get; init; }

    /// <summary>Only so many lines, the last ones; null for all from the first on.</summary>
    public int? Last { get; init; }

    internal bool Takes(RunLogLine line) =>
        (Step is null || line.Step == Step) && line.Level >= Level && (Search is null || line.Text.Contains(Search, StringComparison.OrdinalIgnoreCase));
}

/// <summary>What steps wrote, how far they were, and how their states changed, as text.</summary>
public static class RunLog
{
    /// <summary>Lines that one call returns, about; there may be more after the last of them.</summary>
    public const int Batch = 1000;

    /// <summary>The next lines of a log; none at its end.</summary>
    /// <param name="runs">The ledger.</param>
    /// <param name="run">Which run.</param>
    /// <param name="query">Which lines.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    public static async Task<IReadOnlyList<RunLogLine>> ReadAsync(IRunReader runs, Guid run, RunLogQuery query, CancellationToken cancellationToken)
    {
        var (lines, after) = (new List<RunLogLine>(), query.After);
        while (lines.Count < Batch || query.Last is not null)
        {
            var events = await runs.ReadLogAsync(run, after, Batch, cancellationToken).ConfigureAwait(false);
            if (events.Count == 0)
                break;
            after = events[^1].Id;
            lines.AddRange(events.SelectMany(Lines).Where(query.Takes));
            if (query.Last is { } last && lines.Count > last)
                lines.RemoveRange(0, lines.Count - last);
        }
        return lines;
    }

    private static IEnumerable<RunLogLine> Lines(RunEventView line)
    {
        switch (line.Type)
        {
            case nameof(StepLogged):
                var logged = JsonSerializer.Deserialize<StepLogged>(line.Body, WireJson.Options)!;
                return logged.Lines.Select(text => new RunLogLine(line.Id, line.At, line.Step, logged.Attempt, text, LevelOf(text)));
            case nameof(StepStateChanged):
                var step = JsonSerializer.Deserialize<StepStateChanged>(line.Body, WireJson.Options)!;
                return [new RunLogLine(line.Id, line.At, line.Step, step.Attempt, Describe(EnumText.Of(step.State), step.Message), LevelOf(step))];
            case nameof(RunStateChanged):
                var run = JsonSerializer.Deserialize<RunStateChanged>(line.Body, WireJson.Options)!;
                return [new RunLogLine(line.Id, line.At, "", 0, Describe(EnumText.Of(run.State), run.Message), LevelOf(run.State))];
            default:
                return [];
        }
    }

    private static LogLineLevel LevelOf(string text) =>
        text.StartsWith(StepProgress.NotePrefix, StringComparison.Ordinal) ? LogLineLevel.Warning : LogLineLevel.Info;

    private static LogLineLevel LevelOf(StepStateChanged step) => step.State switch
    {
        StepState.Failed => LogLineLevel.Error,
        StepState.Cancelled or StepState.Skipped => LogLineLevel.Warning,
        StepState.Ready or StepState.Waiting when step.Message.Length > 0 => LogLineLevel.Warning,
        _ => LogLineLevel.Info,
    };

    private static LogLineLevel LevelOf(RunState run) =>
        run switch { RunState.Failed => LogLineLevel.Error, RunState.Cancelled => LogLineLevel.Warning, _ => LogLineLevel.Info };

    private static string Describe(string state, string message) => message.Length == 0 ? state : $"{state}: {message}";
}
