using System.CommandLine;
using Espalier.Artifacts;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Cli.Verification;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier fsck</c>: reads the whole store, and says what is damaged and what to do again.</summary>
internal static class FsckCommand
{
    public static Command Create(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command(
            "fsck",
            """
            Read every blob, manifest and step record of the store and compare it with its digest. Damaged data is moved to
            the store's folder 'damaged' and counts as missing, so that the next run computes it again. Nothing is deleted.
            The store is the one of ESPALIER__STORE__LOCATION (files or Azure Blob Storage), else that of the context: the platform
            which runs in this home, or the home's own. ESPALIER__REGISTRY__DATABASE likewise names the registry.
            Exit codes: 0 clean, 1 damage found, 2 there is no such store.

              espalier fsck
              espalier fsck --json
            """) { json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var place = StoreInUse.Of(home, ContextChoice.Choose(parsed, terminal));
            if (place.IsOfHome && !home.Exists && !Directory.Exists(home.StoreFolder))
                throw new UserInputException(Directory.Exists(new PlatformHome(home).Path)
                    ? $"The platform of {home.Path} is not running, and its store can only be examined while it is: espalier up first."
                    : $"{home.Path} holds nothing yet.");
            home.Create();
            var store = place.Open();
            await using var registry = await OpenRegistry.OpenAsync(place.Registry, () => store, cancellationToken).ConfigureAwait(false);
            FsckOutcome outcome;
            using (var progress = new ByteProgress(terminal, "checking"))
                outcome = await new StoreExamination(store, registry.Models).RunAsync(progress, cancellationToken).ConfigureAwait(false);
            if (!place.IsOfHome && outcome is { Ok: true, Blobs: 0, Steps: 0 })
                throw new UserInputException($"The store at {outcome.Store} holds nothing: are store:location and store:container right?");
            if (parsed.GetValue(json))
                terminal.WriteJson(outcome);
            else
                Write(terminal, outcome);
            return outcome.Ok ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static void Write(Terminal terminal, FsckOutcome outcome)
    {
        terminal.Output.WriteLine(
            $"{outcome.Store}: {outcome.Blobs} blobs, {Amounts.Bytes(outcome.Bytes)}, {outcome.Manifests} manifests, {outcome.Steps} step records: "
                + (outcome.Ok ? "clean" : $"{outcome.Faults.Count} blobs and {outcome.Records.Count} records are damaged or missing"));
        foreach (var fault in outcome.Faults)
        {
            terminal.Output.WriteLine($"{(fault.IsMissing ? "missing" : "damaged")}  {fault.Blob.Hex}  {fault.Detail}");
            foreach (var use in fault.Uses)
                terminal.Output.WriteLine($"    {use.Content} of {use.Artifact.Short}");
            if (fault.UseCount > fault.Uses.Count)
                terminal.Output.WriteLine($"    and {fault.UseCount - fault.Uses.Count} more");
            if (fault.UseCount == 0)
                terminal.Output.WriteLine("    nothing needs it");
        }
        foreach (var record in outcome.Records)
            terminal.Output.WriteLine($"damaged  record {record.Record}, kept as {record.KeptAs}");
        foreach (var step in outcome.Recompute)
            terminal.Output.WriteLine($"recompute  {step.Remedy}");
        foreach (var model in outcome.Models)
            terminal.Output.WriteLine($"{model.Model}@{model.Version}  {model.Remedy}");
    }
}
