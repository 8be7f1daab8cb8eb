using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Pipelines.Schemas;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier schema</c>: a JSON Schema of pipeline files.</summary>
internal static class SchemaCommand
{
    public static Command Create(Terminal terminal)
    {
        var json = new Option<bool>(SharedOptions.JsonName) { Description = "Print JSON. This command always does." };
        var kind = new Argument<string?>("KIND") { Description = "Print the schema of one stage's options instead.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command(
            "schema",
            "Print a JSON Schema of pipeline files, for completion and hints in editors.\n\n  espalier schema > pipeline.schema.json\n"
                + "  # yaml-language-server: $schema=pipeline.schema.json      (first line of the pipeline file)\n"
                + "  espalier schema prune                                     the options of one stage") { kind, json };
        command.SetAction(parsed =>
        {
            var stages = Hosting.Stages.All(EspalierHome.OfThisProcess());
            if (parsed.GetValue(kind) is { } name)
                terminal.WriteJson(PipelineJsonSchema.Generate(Hosting.Stages.Definitions([Hosting.Stages.Find(stages, name)]).Single()));
            else
                terminal.WriteJson(PipelineJsonSchema.Generate(Hosting.Stages.Definitions(stages)));
            return ExitCodes.Done;
        });
        return command;
    }
}
