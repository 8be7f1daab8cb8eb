using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;

namespace Espalier.Orchestrator.Api;

/// <summary>One line of a run's log, readable.</summary>
/// <param name="Id">Position in the log.</param>
/// <param name="At">When.</param>
/// <param name="Step">Which step; empty for the run itself.</param>
/// <param name="Attempt">Which attempt.</param>
/// <param name="Text">What.</param>
public sealed record RunLogLine(long Id, DateTimeOffset At, string Step, int Attempt, string Text);

/// <summary>What steps wrote and how their states changed, as text.</summary>
internal static class RunLogApi
{
    private const int Batch = 1000;

    /// <summary>Lines after a position, of one step or of all.</summary>
    public static async Task<IResult> ReadAsync(Guid id, IRunReader runs, CancellationToken cancellationToken, string? step = null, long after = 0)
    {
        if (await runs.FindStateAsync(id, cancellationToken).ConfigureAwait(false) is null)
            return TypedResults.Problem($"There is no run {id}.", statusCode: StatusCodes.Status404NotFound);
        if (step is not null && await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is { } run && run.Steps.All(s => s.Name != step))
            return RunDetailsApi.MissingStep(run, step);
        var lines = new List<RunLogLine>();
        while (lines.Count < Batch)
        {
            var events = await runs.ReadLogAsync(id, after, Batch, cancellationToken).ConfigureAwait(false);
            if (events.Count == 0)
                break;
            after = events[^1].Id;
            lines.AddRange(events.Where(e => step is null || e.Step == step).SelectMany(Lines));
        }
        return TypedResults.Ok(lines);
    }

    private static IEnumerable<RunLogLine> Lines(RunEventView line)
    {
        switch (line.Type)
        {
            case nameof(StepLogged):
                var logged = JsonSerializer.Deserialize<StepLogged>(line.Body, WireJson.Options)!;
                return logged.Lines.Select(text => new RunLogLine(line.Id, line.At, line.Step, logged.Attempt, text));
            case nameof(StepStateChanged):
                var step = JsonSerializer.Deserialize<StepStateChanged>(line.Body, WireJson.Options)!;
                return [new RunLogLine(line.Id, line.At, line.Step, step.Attempt, Describe(EnumText.Of(step.State), step.Message))];
            case nameof(RunStateChanged):
                var run = JsonSerializer.Deserialize<RunStateChanged>(line.Body, WireJson.Options)!;
                return [new RunLogLine(line.Id, line.At, "", 0, Describe(EnumText.Of(run.State), run.Message))];
            default:
                return [];
        }
    }

    private static string Describe(string state, string message) => message.Length == 0 ? state : $"{state}: {message}";
}
