using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Client;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier resume RUN</c>: continues a failed or cancelled run.</summary>
internal static class ResumeCommand
{
    public static Command Create(Terminal terminal)
    {
        var run = new Argument<string>("RUN") { Description = RunIds.Help };
        var server = new ServerOptions(terminal);
        var detach = new Option<bool>("--detach") { Description = "On a platform: return at once instead of watching." };
        var commands = CommandConsent.Create();
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command(
                "resume",
                "Continue a failed or cancelled run from the positions that its steps saved: on the platform of the context, or in "
                    + "this process.\n\n  espalier runs\n  espalier resume tiny#12")
            {
                run,
                detach,
                commands,
                json,
            });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using (var client = server.Find(parsed))
            {
                if (client is not null)
                    return await ResumeThereAsync(
                        terminal, client, parsed.GetRequiredValue(run), parsed.GetValue(json), parsed.GetValue(detach),
                        cancellationToken).ConfigureAwait(false);
            }
            var home = EspalierHome.OfThisProcess();
            var models = await RegisteredModels.LoadAsync(home, cancellationToken).ConfigureAwait(false);
            home.Create().WarnOfShortage(terminal);
            var mode = new EmbeddedMode { Commands = parsed.GetValue(commands) };
            var host = await EmbeddedHost.StartAsync(home, models, mode, cancellationToken).ConfigureAwait(false);
            await using (host.ConfigureAwait(false))
            {
                var runId = await FindAsync(host, parsed.GetRequiredValue(run), cancellationToken).ConfigureAwait(false);
                var steps = (await host.Runs.FindAsync(runId, cancellationToken).ConfigureAwait(false))!.Steps;
                CommandConsent.Require(mode.Commands, home, steps.Select(s => (s.Name, s.Kind)));
                await host.ResumeAsync(runId, cancellationToken).ConfigureAwait(false);
                return await RunEnding.FollowAsync(terminal, home, host, runId, parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
            }
        });
        return command;
    }

    private static Task<Guid> FindAsync(EmbeddedHost host, string text, CancellationToken cancellationToken) =>
        RunIds.ChooseAsync(text, query => host.Runs.ListAsync(query, cancellationToken));

    private static async Task<int> ResumeThereAsync(
        Terminal terminal, PlatformClient client, string text, bool isJson, bool detach, CancellationToken cancellationToken)
    {
        var run = await client.FindIdAsync(text, cancellationToken).ConfigureAwait(false);
        var state = await client.Api.ResumeRunAsync(run, cancellationToken).ConfigureAwait(false);
        if (!detach)
            return await WatchCommand.FollowAsync(terminal, client, run, isJson, cancellationToken).ConfigureAwait(false);
        if (isJson)
            terminal.WriteJsonLine(new { Run = run, state.State });
        else
            terminal.Output.WriteLine($"{run} {Terminal.Word(state.State)}");
        return ExitCodes.Done;
    }
}
