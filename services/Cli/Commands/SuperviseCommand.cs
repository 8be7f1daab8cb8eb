using System.CommandLine;
using System.Globalization;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier supervise</c>: what <c>espalier up</c> leaves running in the background.</summary>
internal static class SuperviseCommand
{
    /// <summary>Name of the command, for <c>up</c>.</summary>
    public const string Name = "supervise";

    public static Command Create(Terminal terminal)
    {
        var command = new Command(Name, "Run the platform of this home until SIGTERM; started by espalier up.") { Hidden = true };
        command.SetAction(async (_, cancellationToken) =>
        {
            await new Supervisor(EspalierHome.OfThisProcess(), Say).RunAsync(cancellationToken).ConfigureAwait(false);
            return ExitCodes.Done;
        });
        return command;

        void Say(string message) => terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():O} {message}"));
    }
}
