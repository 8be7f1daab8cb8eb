using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Text;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier logs</c>: the log of a process on this machine, or of a step wherever it runs.</summary>
internal static class LogsCommand
{
    private const string Help =
        """
        Show logs: of a process of the platform on this machine, or of a run of the context, with times in UTC.

          espalier logs orchestrator -f
          espalier logs tiny#12
          espalier logs tiny#12 base --level warning
          espalier logs tiny#12 --search loss > tiny-12.log
        """;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(300);

    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var names = new Argument<string[]>("NAME")
        {
            Description = "Nothing: the supervisor. A process: its log. RUN, or RUN STEP: the log of a run or of one step.",
            Arity = new ArgumentArity(0, 2),
        };
        var follow = new Option<bool>("--follow", "-f") { Description = "Keep printing until Ctrl-C, or until the run ends." };
        var lines = new Option<int>("--lines", "-n")
        {
            Description = "Of a process: how many of its last lines to print first.",
            DefaultValueFactory = _ => 50,
        };
        var level = new Option<LogLineLevel>("--level") { Description = "Of a run: only lines of this level or above." };
        level.AcceptOnlyFromAmong([.. Enum.GetValues<LogLineLevel>().Select(Terminal.Word)]);
        var search = new Option<string?>("--search") { Description = "Of a run: only lines that contain this text, ignoring case." };
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("logs", Help) { names, follow, lines, level, search, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = new PlatformHome(EspalierHome.OfThisProcess());
            var name = parsed.GetValue(names) ?? [];
            if (parsed.GetValue(lines) < 0)
                throw new UserInputException($"--lines {parsed.GetValue(lines)}: expected a number of lines, at least 0.");
            if (name.Length < 2 && FindFile(home, name.FirstOrDefault() ?? "supervisor") is { } file)
                await ShowFileAsync(terminal, file, parsed.GetValue(lines), parsed.GetValue(follow), cancellationToken).ConfigureAwait(false);
            else if (name.Length == 0)
                throw new UserInputException($"No platform was started in {home.Path}: espalier up");
            else
            {
                using var client = server.Find(parsed);
                var query = new RunLogQuery { Level = parsed.GetValue(level), Search = parsed.GetValue(search) };
                await ShowRunAsync(
                    terminal, client, name, query, parsed.GetValue(follow), parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
            }
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The log of a process; <c>upcycler</c> is <c>upcycler-1</c>.</summary>
    private static string? FindFile(PlatformHome home, string name)
    {
        if (name.AsSpan().IndexOfAny('/', '\\') >= 0)
            return null;
        return new[] { name, $"{name}-1" }.Select(home.LogOf).FirstOrDefault(File.Exists);
    }

    private static async Task ShowFileAsync(Terminal terminal, string path, int lines, bool follow, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        terminal.Output.WriteLine(LogTail.Read(path, lines));
        file.Seek(0, SeekOrigin.End);
        using var reader = new StreamReader(file);
        while (follow && !cancellationToken.IsCancellationRequested)
        {
            if (await reader.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
                terminal.Output.WriteLine(line);
            else
                await Task.Delay(Look, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task ShowRunAsync(
        Terminal terminal, PlatformClient? client, string[] name, RunLogQuery query, bool follow, bool isJson, CancellationToken cancellationToken)
    {
        if (client is null)
        {
            _ = await HomeRuns.ReadAsync<object>(async runs =>
            {
                await ShowAsync(terminal, new LogSource(
                    text => RunIds.ChooseAsync(text, list => runs.ListAsync(list, cancellationToken)),
                    async id => await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) ?? throw Missing(name[0]),
                    (id, lines) => RunLog.ReadAsync(runs, id, lines, cancellationToken)), name, query, follow, isJson, cancellationToken).ConfigureAwait(false);
                return runs;
            }).ConfigureAwait(false) ?? throw Missing(name[0]);
            return;
        }
        await ShowAsync(terminal, new LogSource(
            text => client.FindIdAsync(text, cancellationToken),
            id => client.Api.FindRunAsync(id, cancellationToken),
            (id, lines) => client.LogAsync(id, lines, cancellationToken)), name, query, follow, isJson, cancellationToken).ConfigureAwait(false);
    }

    private static UserInputException Missing(string run) => new($"There is no run '{run}' here: espalier runs");

    private static async Task ShowAsync(
        Terminal terminal, LogSource source, string[] name, RunLogQuery query, bool follow, bool isJson, CancellationToken cancellationToken)
    {
        var run = await source.Choose(name[0]).ConfigureAwait(false);
        query = query with { Step = name.ElementAtOrDefault(1) };
        while (true)
        {
            // Read before the log, so that the log then holds whatever ended the run.
            var view = await source.Find(run).ConfigureAwait(false);
            if (query.Step is { } step && view.Steps.All(s => s.Name != step))
                throw new UserInputException($"Run {view.Label} has no step '{step}': {NearestWord.Hint(step, [.. view.Steps.Select(s => s.Name)])}");
            var lines = await source.Read(run, query).ConfigureAwait(false);
            foreach (var line in lines)
            {
                if (isJson)
                    terminal.WriteJsonLine(line);
                else
                    terminal.Output.WriteLine(line.ToString());
            }
            if (lines.Count > 0)
                query = query with { After = lines[^1].Id };
            else if (!follow || view.State is RunState.Succeeded or RunState.Failed or RunState.Cancelled)
                return;
            else
                await Task.Delay(Look, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Where a run's log is read.</summary>
    private sealed record LogSource(
        Func<string, Task<Guid>> Choose, Func<Guid, Task<RunView>> Find, Func<Guid, RunLogQuery, Task<IReadOnlyList<RunLogLine>>> Read);
}
