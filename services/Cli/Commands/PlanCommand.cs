using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Planning;
using Espalier.Cli.Terminals;
using Espalier.Modeling.Runtime;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier plan FILE</c>: checks a file and says what it would do, step by step, from headers alone.</summary>
internal static class PlanCommand
{
    public static Command Create(Terminal terminal)
    {
        var file = SharedOptions.PipelineFile();
        var parameters = SharedOptions.Parameters();
        var json = SharedOptions.Json();
        var command = new Command(
            "plan",
            """
            Say what a pipeline would do, and run nothing: which steps are in the cache and why the others are not, model
            shapes before and after, bytes to be written, memory, time as far as earlier runs tell it, and refusals.
            Exit code 2 when a step would be refused.

              espalier plan pipelines/tiny.yaml --param seed=3 --json
            """) { file, parameters, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var pipeline = await PipelineText.ReadAsync(parsed.GetRequiredValue(file), parsed.GetValue(parameters) ?? [], home, cancellationToken).ConfigureAwait(false);
            var estimate = await ResolveAsync(home, pipeline, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(estimate);
            else
                PlanTable.Write(terminal, estimate);
            return estimate.Steps.Any(s => s.Decision == StepDecision.Refused) ? ExitCodes.BadInput : ExitCodes.Done;
        });
        return command;
    }

    private static async Task<ResolvedPlan> ResolveAsync(EspalierHome home, PipelineText pipeline, CancellationToken cancellationToken)
    {
        var store = Directory.Exists(home.StoreFolder) ? home.OpenStore() : null; // planning leaves nothing behind
        var known = store is null ? new KnownWork([]) : await KnownWork.ReadAsync(store, cancellationToken).ConfigureAwait(false);
        return await new PlanResolver(store, known, Hosting.Stages.All(home), Hosting.Stages.Estimates(home), TorchRuntime.NumericsClass)
            .ResolveAsync(pipeline.Plan, cancellationToken).ConfigureAwait(false);
    }
}
