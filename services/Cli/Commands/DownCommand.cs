using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier down</c>: stops what <c>up</c> started.</summary>
internal static class DownCommand
{
    public static Command Create(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command(
            "down",
            "Stop the platform of this home: workers hand back their steps, then the servers stop. Data stays. Also cleans up after a crash. "
                + "Commands work on the files of the home again.")
        {
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var ran = await new PlatformControl(home, terminal.Say).DownAsync(cancellationToken).ConfigureAwait(false);
            ReturnToLocal(home);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Stopped = ran });
            else
                terminal.Say(ran ? "Stopped." : "Nothing was running.");
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>What the platform of a home was selected for ends with it; another context that was chosen stays.</summary>
    public static void ReturnToLocal(EspalierHome home)
    {
        if (SavedContexts.Read(home).Current == CommandContext.PlatformName)
            SavedContexts.Select(home, CommandContext.LocalName);
    }
}
