using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier down</c>: stops what <c>up</c> started.</summary>
internal static class DownCommand
{
    public static Command Create(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command(
            "down", "Stop the platform of this home: workers give their steps back, then servers stop. Data stays. Also cleans up after a crash.")
        {
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var ran = await new PlatformControl(EspalierHome.OfThisProcess(), terminal.Say).DownAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Stopped = ran });
            else
                terminal.Say(ran ? "Stopped." : "Nothing was running.");
            return ExitCodes.Done;
        });
        return command;
    }
}
