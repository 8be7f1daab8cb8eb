using System.CommandLine;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Triggers;
using Espalier.Pipelines.Text;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier pipelines</c>: pipelines that the platform keeps by name, with their triggers.</summary>
internal static class PipelinesCommand
{
    public static Command Create(Terminal terminal) =>
        new(
            "pipelines",
            "Add, list, show and remove pipelines that the platform keeps by name. From then on, the events under 'on' in its file start it.\n\n"
                + "  espalier pipelines add pipelines/on-events.yaml\n  espalier submit on-events --param seed=3\n  espalier pipelines remove on-events")
        {
            Add(terminal), List(terminal), Show(terminal), Remove(terminal),
        };

    private static Command Add(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var file = SharedOptions.PipelineFile();
        var json = SharedOptions.Json();
        var command = server.AddTo(
            new Command("add", "Keep a pipeline under the name that the file gives it; a changed file becomes a new version.") { file, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetRequiredValue(file);
            var text = SharedOptions.ReadFile(path);
            var name = NameOf(text, path);
            using var client = server.Open(parsed);
            var added = await client.Api.AddPipelineAsync(name, text, Path.GetFullPath(path), cancellationToken).ConfigureAwait(false);
            foreach (var warning in added.Warnings ?? [])
                terminal.Say(warning);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(added);
            else
                terminal.Output.WriteLine($"{added.Name} version {added.Version}{TriggersOf(added)}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command List(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("list", "Every pipeline: name, version, owner, triggers.") { json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var pipelines = await client.Api.ListPipelinesAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Pipelines = pipelines });
            else
            {
                terminal.WriteTable(
                    ["pipeline", "version", "owner", "triggers"],
                    pipelines.Select(p => new[] { p.Name, $"{p.Version}", p.Owner, string.Join(", ", NamesOf(p.Triggers, p)) }),
                    "No pipelines yet: espalier pipelines add FILE");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Show(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var name = Name();
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("show", "The text of a pipeline.") { name, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var pipeline = await client.Api.FindPipelineAsync(parsed.GetRequiredValue(name), cancellationToken: cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(pipeline);
            else
                terminal.Output.Write(pipeline.Pipeline);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Remove(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var name = Name();
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command("remove", "Remove a pipeline and its triggers. Runs in progress continue.") { name, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Open(parsed);
            var removed = parsed.GetRequiredValue(name);
            await client.Api.RemovePipelineAsync(removed, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJsonLine(new { Removed = removed });
            else
                terminal.Output.WriteLine($"{removed} removed");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Argument<string> Name() => new("NAME") { Description = "Name of the pipeline." };

    private static string TriggersOf(PipelineView pipeline) =>
        pipeline.Triggers.Count == 0 ? "" : $"  on {string.Join(", ", NamesOf(pipeline.Triggers, pipeline))}";

    private static IEnumerable<string> NamesOf(IEnumerable<TriggerView> triggers, PipelineView pipeline) =>
        triggers.Select(t => t.Name[(pipeline.Name.Length + 1)..]);

    private static string NameOf(string text, string path) => YamlSource.Parse(text, path).Find("name") is { Text.Length: > 0 } name
        ? name.Text
        : throw new UserInputException([new Problem(path, 1, 1, "'name' is missing: the pipeline is kept under it")]);
}
