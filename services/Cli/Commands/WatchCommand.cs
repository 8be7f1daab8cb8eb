using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Progress;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier watch RUN</c>: follows a run on the platform to its end.</summary>
internal static class WatchCommand
{
    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var run = new Argument<string>("RUN") { Description = RunIds.Help };
        var json = new Option<bool>(SharedOptions.JsonName) { Description = "Print one event a line, and the outcome as the last line." };
        var command = server.AddTo(
            new Command("watch", "Follow a run to its end, even across restarts of the orchestrator. Ctrl-C stops watching; the run continues.") { run, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var id = await client.FindIdAsync(parsed.GetRequiredValue(run), cancellationToken).ConfigureAwait(false);
            return await FollowAsync(terminal, client, id, parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    /// <summary>Shows a run until it ends.</summary>
    public static async Task<int> FollowAsync(Terminal terminal, PlatformClient client, Guid id, bool isJson, CancellationToken cancellationToken)
    {
        var watcher = new RemoteWatcher(client, id, terminal.Say);
        if (isJson)
        {
            var ended = await watcher.WatchAsync((item, _) => EventLine.Write(terminal, item), cancellationToken).ConfigureAwait(false);
            terminal.WriteJsonLine(
                new
                {
                    Run = ended.RunId, ended.State, Steps = ended.Steps.ToDictionary(s => s.Name, RunOutcome.Describe), ended.Name, ended.Label,
                    ended.Message,
                });
            return RunOutcome.ExitCode(terminal, ended, $"Continue with: espalier resume {ended.Label}");
        }
        var run = terminal.IsInteractive
            ? await LiveBoard.DrawAsync(terminal.Progress(), TimeProvider.System, board => watcher.WatchAsync(board, cancellationToken)).ConfigureAwait(false)
            : await watcher.WatchAsync(new PlainBoard(terminal, TimeProvider.System), cancellationToken).ConfigureAwait(false);
        terminal.Output.WriteLine($"{run.Label} {Terminal.Word(run.State)} in {Amounts.Time((run.Ended ?? run.Created) - run.Created)}");
        return RunOutcome.ExitCode(terminal, run, $"Continue with: espalier resume {run.Label}");
    }
}
