using System.Text;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Api;

/// <summary>The log of a run over HTTP: as JSON, some lines at a time, or whole, as a text file.</summary>
internal static class RunLogApi
{
    private const int MostLast = 10_000;

    /// <summary>
    /// Lines after a position, of one step or of all: <c>?step=</c>, <c>?after=</c>, <c>?level=</c> and <c>?search=</c> choose, <c>?last=</c> takes that
    /// many from the end; <c>?format=text</c> answers a file with all of them.
    /// </summary>
    public static async Task<IResult> ReadAsync(
        Guid id, IRunReader runs, CancellationToken cancellationToken, string? step = null, long after = 0, string? level = null, string? search = null,
        int? last = null, string format = "json")
    {
        if (await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } run)
            return TypedResults.Problem($"There is no run {id}.", statusCode: StatusCodes.Status404NotFound);
        if (step is not null && run.Steps.All(s => s.Name != step))
            return RunDetailsApi.MissingStep(run, step);
        var least = LogLineLevel.Info;
        if (level is not null && !EnumText.TryParse(level, out least))
            return Refused($"There is no level '{level}': expected one of {string.Join(", ", EnumText.Words<LogLineLevel>())}.");
        if (last is < 1 or > MostLast)
            return Refused($"last={last}: expected a number of lines, 1 to {MostLast}.");
        var query = new RunLogQuery { Step = step, After = after, Level = least, Search = string.IsNullOrEmpty(search) ? null : search, Last = last };
        return format switch
        {
            "json" => TypedResults.Ok(await RunLog.ReadAsync(runs, id, query, cancellationToken).ConfigureAwait(false)),
            "text" => TypedResults.Stream(
                stream => WriteAsync(runs, id, query, stream, cancellationToken), "text/plain; charset=utf-8", FileName(run, step)),
            _ => Refused($"There is no format '{format}': expected json or text."),
        };
    }

    private static async Task WriteAsync(IRunReader runs, Guid run, RunLogQuery query, Stream stream, CancellationToken cancellationToken)
    {
        var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
        await using (writer.ConfigureAwait(false))
        {
            query = query with { Last = null };
            while (await RunLog.ReadAsync(runs, run, query, cancellationToken).ConfigureAwait(false) is { Count: > 0 } lines)
            {
                foreach (var line in lines)
                    await writer.WriteLineAsync(line.ToString().AsMemory(), cancellationToken).ConfigureAwait(false);
                query = query with { After = lines[^1].Id };
            }
        }
    }

    private static string FileName(RunView run, string? step)
    {
        var name = string.Join('-', new[] { run.Label, step }.OfType<string>());
        return new string([.. name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' ? c : '-')]) + ".log";
    }

    private static IResult Refused(string reason) => TypedResults.Problem(reason, statusCode: StatusCodes.Status400BadRequest);
}
