using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Cli.Verification;
using Espalier.Contracts;
using Espalier.Orchestrator.Repair;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier repair</c>: brings ledger, registry and store together again, after a restore from different moments.</summary>
internal static class RepairCommand
{
    private const int MostShown = 20;

    public static Command Create(Terminal terminal)
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Only show what is missing and what would be done." };
        var json = SharedOptions.Json();
        var command = new Command(
            "repair",
            """
            Compare ledger, registry and artifact store, as after a restore of backups from different moments, and say what is missing and
            which step makes it again. Without --dry-run also do what is safe: set unusable step records aside, mark lost steps of runs
            under way so that they are done again, give steps whose worker is gone to the next one, and tag versions that lack bytes
            (espalier.incomplete; a later repair takes the tag away). Results that the ledger does not know are found by their keys when
            they are needed. Nothing is deleted. Bytes are not read: espalier fsck does that.
            The three are those of ESPALIER__STORE__LOCATION, ESPALIER__ORCHESTRATOR__PROVIDER and __CONNECTION, and
            ESPALIER__REGISTRY__DATABASE (all of them or none), else those of the context: the platform of this home, or the home's own.
            Exit codes: 0 nothing is missing, 1 something is, 2 there is nothing to compare.

              espalier repair --dry-run
              espalier repair --json
            """) { dryRun, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var isDryRun = parsed.GetValue(dryRun);
            var place = StoreInUse.WithLedgerOf(home, ContextChoice.Choose(parsed, terminal));
            if (place.IsOfHome && !home.Exists)
                throw new UserInputException(Directory.Exists(new PlatformHome(home).Path)
                    ? $"The platform of {home.Path} is not running, and can only be repaired while it is: espalier up first."
                    : $"{home.Path} holds nothing yet.");
            using var claim = place.IsOfHome && !isDryRun ? home.Claim() : null;
            var store = place.Open();
            await using var registry = await OpenRegistry.OpenAsync(place.Registry, () => store, cancellationToken, !isDryRun).ConfigureAwait(false);
            await using var ledger = await LedgerRepair.OpenAsync(place.Ledger, !isDryRun, cancellationToken).ConfigureAwait(false);
            var repair = new StoreRepair(store, ledger, registry.Models, new RunAgain(place.IsOfHome), terminal.Say);
            var outcome = await repair.RunAsync(isDryRun, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(outcome);
            else
                Write(terminal, outcome);
            return outcome.Ok ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static void Write(Terminal terminal, RepairOutcome outcome)
    {
        terminal.Output.WriteLine(
            $"{outcome.Store}: {outcome.Blobs} blobs, {Amounts.Bytes(outcome.Bytes)}, {outcome.Records} step records; {outcome.Results} results in the "
                + $"ledger, {outcome.Versions} versions in the registry: {(outcome.Ok ? "nothing is missing" : "something is missing")}");
        foreach (var kind in outcome.Findings.GroupBy(f => f.Kind))
        {
            foreach (var finding in kind.Take(MostShown))
                terminal.Output.WriteLine(Line(finding, outcome.IsDryRun));
            if (outcome.Counts[Terminal.Word(kind.Key)] is var count and > MostShown)
                terminal.Output.WriteLine($"{Terminal.Word(kind.Key),-20}  and {count - MostShown} more");
        }
        foreach (var next in outcome.Findings.Where(f => f.IsMissing && f.Command is not null).Select(f => f.Command).Distinct().Take(MostShown))
            terminal.Output.WriteLine($"then: {next}");
    }

    private static string Line(RepairFinding finding, bool isDryRun)
    {
        var subject = finding.Model is { } model
            ? $"{model}@{finding.Version}{(finding.Aliases is { Count: > 0 } aliases ? $" ({string.Join(", ", aliases)})" : "")}"
            : finding.Step is { } step ? $"step '{step}' ({finding.Stage}) of run {finding.Run:N}" : $"step {finding.Key?.Short}";
        var action = finding.Action is null ? "" : $" [{(isDryRun ? "would " : finding.IsDone ? "done: " : "not done: ")}{finding.Action}]";
        return $"{Terminal.Word(finding.Kind),-20}  {subject}: {finding.Detail}{action}";
    }
}
