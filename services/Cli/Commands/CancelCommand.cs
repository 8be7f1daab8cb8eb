using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier cancel RUN</c>: asks a run on the platform to stop.</summary>
internal static class CancelCommand
{
    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var run = new Argument<string>("RUN") { Description = RunIds.Help };
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command("cancel", "Stop a run: running steps save their positions, so that espalier resume continues from there.") { run, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var id = await client.FindIdAsync(parsed.GetRequiredValue(run), cancellationToken).ConfigureAwait(false);
            var state = await client.Api.CancelRunAsync(id, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Run = id, state.State, state.Message });
            else
                terminal.Output.WriteLine($"{id} {Terminal.Word(state.State)}  {state.Message}");
            return ExitCodes.Done;
        });
        return command;
    }
}
