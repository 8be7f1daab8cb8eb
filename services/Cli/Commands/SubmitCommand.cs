using System.CommandLine;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier submit FILE</c> or <c>NAME</c>: starts a run on the platform.</summary>
internal static class SubmitCommand
{
    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var file = new Argument<string>("FILE") { Description = "Pipeline file (YAML); where there is no such file, the name of a pipeline that was added." };
        var parameters = SharedOptions.Parameters();
        var reason = new Option<string?>("--reason") { Description = "What the run is for; shown on its page." };
        var upload = new Option<bool?>("--upload")
        {
            Description = "Whether text of this machine that the file names (file:, dir:, jsonl:, parquet:) is sent to the platform; "
                + "left out: yes, unless the platform is the one of this home, which reads it where it lies.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command(
                "submit",
                "Start a run on the platform and return at once.\n\n  espalier submit pipelines/tiny.yaml --param seed=3\n"
                    + "  espalier submit nightly --param seed=3 --reason 'a third seed'\n  espalier watch $(espalier submit pipelines/tiny.yaml)")
            {
                file,
                parameters,
                reason,
                upload,
                json,
            });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetRequiredValue(file);
            var values = SharedOptions.ReadParameters(parsed.GetValue(parameters) ?? []);
            var isName = IsName(path);
            var text = isName ? "" : SharedOptions.ReadFile(path);
            using var client = server.Open(parsed);
            // A bare --upload says yes.
            var isUploaded = !isName && (parsed.GetValue(upload) ?? (parsed.GetResult(upload) is not null || !client.Context.IsOfHome));
            if (isUploaded && client.Context.Registry is not null)
            {
                (text, values) = await new SubmittedFiles(client.Context, terminal)
                    .UploadAsync(text, Path.GetFullPath(path), values, cancellationToken).ConfigureAwait(false);
            }
            var run = isName
                ? await client.SubmitAsync(path, values, parsed.GetValue(reason), cancellationToken).ConfigureAwait(false)
                : await client.SubmitAsync(text, Path.GetFullPath(path), values, parsed.GetValue(reason), cancellationToken).ConfigureAwait(false);
            if (run.Note is { } note)
                terminal.Say(note);
            var page = client.Context.RunPage(run.RunId);
            if (parsed.GetValue(json))
            {
                terminal.WriteJsonLine(new { Run = run.RunId, run.Label, run.Note, Page = page });
                return ExitCodes.Done;
            }
            terminal.Output.WriteLine(run.RunId);
            var name = run.Label ?? run.RunId.ToString();
            terminal.Say(page is null ? $"{name} was submitted: espalier watch {name}" : $"{name} was submitted: see {page}, or espalier watch {name}");
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>A word that is no file and looks like none.</summary>
    private static bool IsName(string text) =>
        !File.Exists(text) && !Directory.Exists(text) && !text.Contains('.', StringComparison.Ordinal) && !text.Contains('/', StringComparison.Ordinal);
}
