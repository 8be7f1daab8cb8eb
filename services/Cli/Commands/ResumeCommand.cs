using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier resume RUN</c>: goes on with a failed or cancelled run.</summary>
internal static class ResumeCommand
{
    public static Command Create(Terminal terminal)
    {
        var run = new Argument<string>("RUN") { Description = "Id of the run, or its first digits; see espalier runs." };
        var json = SharedOptions.Json();
        var command = new Command("resume", "Go on with a failed or cancelled run, from the positions its steps saved.\n\n  espalier runs\n  espalier resume 0199c2f4") { run, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var models = await RegisteredModels.LoadAsync(home, cancellationToken).ConfigureAwait(false);
            var host = await EmbeddedHost.StartAsync(home, models, recompute: false, cancellationToken).ConfigureAwait(false);
            await using (host.ConfigureAwait(false))
            {
                var runId = await FindAsync(host, parsed.GetRequiredValue(run), cancellationToken).ConfigureAwait(false);
                await host.ResumeAsync(runId, cancellationToken).ConfigureAwait(false);
                return await RunEnding.FollowAsync(terminal, home, host, runId, parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
            }
        });
        return command;
    }

    private static async Task<Guid> FindAsync(EmbeddedHost host, string text, CancellationToken cancellationToken)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        var wanted = text.Replace("-", "", StringComparison.Ordinal);
        var found = (await host.Runs.ListAsync(RunsCommand.Most, cancellationToken).ConfigureAwait(false))
            .Where(r => r.RunId.ToString("N").StartsWith(wanted, StringComparison.OrdinalIgnoreCase)).ToList();
        return found switch
        {
            [var one] => one.RunId,
            [] => throw new UserInputException($"There is no run '{text}'; see espalier runs."),
            _ => throw new UserInputException($"'{text}' begins the id of {found.Count} runs; give more digits."),
        };
    }
}
