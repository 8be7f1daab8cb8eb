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
        var kind = new Argument<string?>("KIND") { Description = "Print the option schema of one stage instead.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command(
            "schema",
            "Print a JSON Schema of pipeline files, for completion and hints in editors.\n\n  espalier schema > pipeline.schema.json\n"
                + "  # yaml-language-server: $schema=pipeline.schema.json      (first line of the pipeline file)\n"
                + "  espalier schema prune                                     the options of one stage") { kind };
        command.SetAction(parsed =>
        {
            var stages = Hosting.Stages.All(EspalierHome.OfThisProcess());
            if (parsed.GetValue(kind) is { } name)
                terminal.WriteJson(Hosting.Stages.Definitions([Hosting.Stages.Find(stages, name)]).Single().Schema);
            else
                terminal.WriteJson(PipelineJsonSchema.Generate(Hosting.Stages.Definitions(stages)));
            return ExitCodes.Done;
        });
        return command;
    }
}
