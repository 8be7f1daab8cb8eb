using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier run FILE</c>: a whole pipeline in this process.</summary>
internal static class RunCommand
{
    public static Command Create(Terminal terminal)
    {
        var file = SharedOptions.PipelineFile();
        var parameters = SharedOptions.Parameters();
        var fresh = new Option<bool>("--fresh") { Description = "Compute every step again, whatever earlier runs left in the store." };
        var commands = CommandConsent.Create();
        var json = SharedOptions.Json();
        var command = new Command(
            "run",
            """
            Run a pipeline in this process: no broker, no database server. Steps whose result is stored already take no time.
            Ctrl-C saves the position of every running step; running the same file again resumes from there.

              espalier run pipelines/tiny.yaml
              espalier run pipelines/quickstart.yaml --param tokens=1M --param seed=3
              espalier run my.yaml --json > result.json
            """) { file, parameters, fresh, commands, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            ContextChoice.SayLocal(parsed, terminal, "espalier submit runs it there.");
            var home = EspalierHome.OfThisProcess();
            var pipeline = await PipelineText.ReadAsync(
                parsed.GetRequiredValue(file), parsed.GetValue(parameters) ?? [], home, cancellationToken).ConfigureAwait(false);
            CommandConsent.Require(parsed.GetValue(commands), home, pipeline.Plan.Steps.Select(s => (s.Name, s.Kind)));
            home.Create().WarnOfShortage(terminal);
            var mode = new EmbeddedMode { Recompute = parsed.GetValue(fresh), Commands = parsed.GetValue(commands) };
            var host = await EmbeddedHost.StartAsync(home, pipeline.Models, mode, cancellationToken).ConfigureAwait(false);
            await using (host.ConfigureAwait(false))
            {
                await host.CancelOrphansAsync(cancellationToken).ConfigureAwait(false);
                var runId = Guid.CreateVersion7();
                await host.SubmitAsync(pipeline.ToRequest(runId), cancellationToken).ConfigureAwait(false);
                return await RunEnding.FollowAsync(terminal, home, host, runId, parsed.GetValue(json), cancellationToken).ConfigureAwait(false);
            }
        });
        return command;
    }
}
