using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Pipelines.Planning;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier plan FILE</c>: checks a file and shows what it would do.</summary>
internal static class PlanCommand
{
    public static Command Create(Terminal terminal)
    {
        var file = SharedOptions.PipelineFile();
        var parameters = SharedOptions.Parameters();
        var json = SharedOptions.Json();
        var command = new Command("plan", "Check a pipeline file and show its steps, options and edges; nothing is run.\n\n  espalier plan pipelines/tiny.yaml --param seed=3 --json") { file, parameters, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var pipeline = await PipelineText.ReadAsync(parsed.GetRequiredValue(file), parsed.GetValue(parameters) ?? [], home, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(pipeline.Plan);
            else
                Write(terminal, pipeline.Plan);
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Write(Terminal terminal, PipelinePlan plan)
    {
        terminal.Output.WriteLine($"{plan.Name}: {plan.Steps.Count} steps");
        var table = new Table().RoundedBorder().AddColumn("step").AddColumn("stage").AddColumn("reads").AddColumn("options").AddColumn("only when");
        foreach (var step in plan.Steps)
            table.AddRow(step.Name, step.Kind, Markup.Escape(Reads(step)), Markup.Escape(step.Options.GetRawText()), Markup.Escape(step.When ?? ""));
        terminal.Write(table);
    }

    private static string Reads(PlannedStep step) => string.Join('\n', step.Inputs.Select(i => i.As == i.Output ? i.Step : $"{i.Step} as {i.As}"));
}
