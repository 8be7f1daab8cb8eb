using System.CommandLine;
using Espalier.Cli.Client;
using Espalier.Cli.Hosting;
using Espalier.Cli.Planning;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Resolution;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier plan FILE</c>: checks a file and says what it would do, step by step, from headers alone.</summary>
internal static class PlanCommand
{
    public static Command Create(Terminal terminal)
    {
        var server = new ServerOptions(terminal);
        var file = SharedOptions.PipelineFile();
        var parameters = SharedOptions.Parameters();
        var json = SharedOptions.Json();
        var command = server.AddTo(new Command(
            "plan",
            """
            Show what a pipeline would do, without running it: which steps are cached and why the others are not, model
            shapes before and after, bytes to be written, memory, time as far as earlier runs tell it, and refusals, in the
            selected context. Exit code 2 when a step would be refused.

              espalier plan pipelines/tiny.yaml --param seed=3 --json
            """) { file, parameters, json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (path, values) = (parsed.GetRequiredValue(file), parsed.GetValue(parameters) ?? []);
            using var client = server.Find(parsed);
            var plan = client is not null
                ? await AskAsync(client, path, values, cancellationToken).ConfigureAwait(false)
                : await ResolveAsync(EspalierHome.OfThisProcess(), path, values, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(plan);
            else
                PlanTable.Write(terminal, plan);
            return plan.Steps.Any(s => s.Decision == StepDecision.Refused) ? ExitCodes.BadInput : ExitCodes.Done;
        });
        return command;
    }

    private static async Task<ResolvedPlan> AskAsync(PlatformClient client, string path, string[] parameters, CancellationToken cancellationToken)
    {
        var (text, values) = (SharedOptions.ReadFile(path), SharedOptions.ReadParameters(parameters));
        var check = await client.CheckAsync(text, Path.GetFullPath(path), values, cancellationToken).ConfigureAwait(false);
        return check.Plan ?? throw new UserInputException(check.Problems);
    }

    private static async Task<ResolvedPlan> ResolveAsync(EspalierHome home, string path, string[] parameters, CancellationToken cancellationToken)
    {
        var pipeline = await PipelineText.ReadAsync(path, parameters, home, cancellationToken).ConfigureAwait(false);
        var store = Directory.Exists(home.StoreFolder) ? home.OpenStore() : null; // planning leaves nothing behind
        var stored = new StoredSteps(store);
        var past = await stored.ReadPastAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
        return await new PlanResolver(new LocalCodes(Hosting.Stages.All(home)), stored, Hosting.Stages.Estimates(home, store), past, new MachineRoom())
            .ResolveAsync(pipeline.Plan, cancellationToken).ConfigureAwait(false);
    }
}
