using System.CommandLine;
using Espalier.Artifacts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Ledger;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier runs</c>: what ran here.</summary>
internal static class RunsCommand
{
    /// <summary>Number of runs that are listed at most.</summary>
    public const int Most = 1000;

    public static Command Create(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var server = new ServerOptions();
        var command = server.AddTo(new Command("runs", "List runs, newest first: of the platform that is up or named, else of this home.") { json });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = server.Find(parsed);
            var runs = client is not null
                ? await client.ListAsync(cancellationToken).ConfigureAwait(false)
                : await ListAsync(EspalierHome.OfThisProcess(), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Runs = runs.Select(r => new { r.RunId, r.Name, r.FileName, r.State, r.Message, r.Created, r.Ended }) });
            else if (runs.Count == 0)
                terminal.Output.WriteLine("No runs yet: espalier run pipelines/tiny.yaml");
            else
                terminal.Write(Draw(runs));
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<IReadOnlyList<RunView>> ListAsync(EspalierHome home, CancellationToken cancellationToken)
    {
        if (!home.Exists)
            return [];
        var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton<ArtifactStore>(_ => home.OpenStore())
            .AddOrchestrator(new OrchestratorOptions { Connection = home.Connection })
            .BuildServiceProvider();
        await using (services.ConfigureAwait(false))
            return await services.GetRequiredService<IRunReader>().ListAsync(Most, cancellationToken).ConfigureAwait(false);
    }

    private static Table Draw(IReadOnlyList<RunView> runs)
    {
        var table = new Table()
            .RoundedBorder()
            .AddColumn("run")
            .AddColumn("pipeline")
            .AddColumn("state")
            .AddColumn("started")
            .AddColumn("took")
            .AddColumn("message");
        foreach (var run in runs)
        {
            table.AddRow(
                run.RunId.ToString("N"),
                Markup.Escape(run.Name),
                run.State.ToString().ToLowerInvariant(),
                $"{run.Created:yyyy-MM-dd HH:mm:ss}",
                run.Ended is { } ended ? Amounts.Time(ended - run.Created) : "-",
                Markup.Escape(run.Message));
        }
        return table;
    }
}
