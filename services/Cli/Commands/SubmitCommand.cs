using System.CommandLine;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier submit FILE</c>: starts a run on the platform.</summary>
internal static class SubmitCommand
{
    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions();
        var file = SharedOptions.PipelineFile();
        var parameters = SharedOptions.Parameters();
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command(
                "submit",
                "Start a run on the platform and return at once.\n\n  espalier submit pipelines/tiny.yaml --param seed=3\n"
                    + "  espalier watch $(espalier submit pipelines/tiny.yaml)")
            {
                file,
                parameters,
                json,
            });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetRequiredValue(file);
            var text = SharedOptions.ReadFile(path);
            var values = SharedOptions.ReadParameters(parsed.GetValue(parameters) ?? []);
            using var client = server.Open(parsed);
            var run = await client.SubmitAsync(text, Path.GetFullPath(path), values, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Run = run });
            else
                terminal.Output.WriteLine(run);
            return ExitCodes.Done;
        });
        return command;
    }
}
