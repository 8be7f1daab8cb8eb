using System.CommandLine;
using Espalier.Cli.Contexts;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Registry.Storage;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier gc</c>: deletes what nothing needs, in two phases.</summary>
internal static class GcCommand
{
    public static Command Create(Terminal terminal)
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Only say what would happen." };
        var grace = new Option<string>("--grace")
        {
            Description = "Age under which nothing is touched, and how long a blob stays condemned.",
            DefaultValueFactory = _ => "24h",
        };
        var cacheAge = new Option<string?>("--cache-age")
        {
            Description = "Also give up results of steps that are older and that no version needs, such as 30d.",
        };
        var json = SharedOptions.Json();
        var command = new Command(
            "gc",
            "Delete blobs that no version, no kept result and no saved position needs. The first call condemns them, a later one, after the "
                + "grace, deletes what is still unneeded.\n\n  espalier gc --dry-run\n  espalier gc --grace 24h --cache-age 30d")
        { dryRun, grace, cacheAge, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var context = ContextChoice.Choose(parsed, terminal);
            var home = EspalierHome.OfThisProcess();
            if (context.IsLocal && !home.Exists)
                throw new UserInputException($"{home.Path} holds nothing yet.");
            var options = new CollectionOptions
            {
                DryRun = parsed.GetValue(dryRun),
                Grace = Length("--grace", parsed.GetRequiredValue(grace)),
                CacheAge = parsed.GetValue(cacheAge) is { } age ? Length("--cache-age", age) : null,
            };
            // A run in progress references its blobs only when it ends.
            using var claim = options.DryRun || !context.IsLocal ? null : home.Claim();
            await using var models = await ContextModels.OpenAsync(context, cancellationToken).ConfigureAwait(false);
            var report = await models.CollectAsync(options, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(report);
            else
                Write(terminal, report);
            return ExitCodes.Done;
        });
        return command;
    }

    private static TimeSpan Length(string option, string text) =>
        Units.ReadDuration(text, out var length) is { } expected ? throw new UserInputException($"{option} '{text}': expected {expected}.") : length;

    private static void Write(Terminal terminal, CollectionReport report)
    {
        terminal.Output.WriteLine($"needed by versions and their ancestry   {report.RegisteredBytes,18:N0} bytes");
        terminal.Output.WriteLine($"kept results of steps                   {report.CacheBytes,18:N0} bytes");
        terminal.Output.WriteLine($"positions of unfinished steps           {report.PositionBytes,18:N0} bytes");
        terminal.Output.WriteLine($"unneeded, but put lately                {report.YoungBytes,18:N0} bytes, {report.YoungBlobs} blobs");
        terminal.Output.WriteLine($"condemned: a later call deletes them    {report.CondemnedBytes,18:N0} bytes, {report.CondemnedBlobs} blobs");
        terminal.Output.WriteLine($"{(report.DryRun ? "would be deleted now" : "deleted"),-39} {report.DeletedBytes,18:N0} bytes, {report.DeletedBlobs} blobs");
        foreach (var root in report.Unreadable)
            terminal.Output.WriteLine($"nothing is deleted: the manifest {root.Hex} of a version is damaged; espalier fsck says how to mend it");
        if (report.DroppedResults > 0)
            terminal.Output.WriteLine($"{report.DroppedResults} kept results {(report.DryRun ? "would be" : "were")} given up");
    }
}
