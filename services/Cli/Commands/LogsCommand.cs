using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier logs</c>: the log of a process on this machine, or of a step wherever it runs.</summary>
internal static class LogsCommand
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(300);

    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var names = new Argument<string[]>("NAME")
        {
            Description = "Nothing: the supervisor. A process: its log. RUN, or RUN STEP: the log of a run or of one step.",
            Arity = new ArgumentArity(0, 2),
        };
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on until Ctrl-C, or until the run ends." };
        var lines = new Option<int>("--lines", "-n") { Description = "Lines of a process's log to begin with.", DefaultValueFactory = _ => 50 };
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command("logs", "Show logs.\n\n  espalier logs orchestrator -f\n  espalier logs 0199c2f4 base") { names, follow, lines, json });
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
                await ShowRunAsync(terminal, server, parsed, name, parsed.GetValue(follow), parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
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
        Terminal terminal, ServerOptions server, ParseResult parsed, string[] name, bool follow, bool isJson, CancellationToken cancellationToken)
    {
        using var client = server.Open(parsed);
        var run = await client.FindIdAsync(name[0], cancellationToken).ConfigureAwait(false);
        var after = 0L;
        while (true)
        {
            // Read before the log, so that the log then holds whatever ended the run.
            var state = (await client.FindAsync(run, cancellationToken).ConfigureAwait(false)).State;
            var lines = await client.LogAsync(run, name.ElementAtOrDefault(1), after, cancellationToken).ConfigureAwait(false);
            foreach (var line in lines)
            {
                after = line.Id;
                if (isJson)
                    terminal.WriteJsonLine(line);
                else
                    terminal.Output.WriteLine($"{line.At:HH:mm:ss.fff} {(line.Step.Length == 0 ? "run" : $"{line.Step}#{line.Attempt}")}  {line.Text}");
            }
            if (lines.Count > 0)
                continue;
            if (!follow || state is RunState.Succeeded or RunState.Failed or RunState.Cancelled)
                return;
            await Task.Delay(Look, cancellationToken).ConfigureAwait(false);
        }
    }
}
