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
        var dryRun = new Option<bool>("--dry-run") { Description = "Only show what would happen." };
        var grace = new Option<string>("--grace")
        {
            Description = "Nothing younger than this is touched, and a blob stays marked for this long before it is deleted.",
            DefaultValueFactory = _ => "24h",
        };
        var cacheAge = new Option<string?>("--cache-age")
        {
            Description = "Also drop results of steps that are older than this, such as 30d, and that no version needs.",
        };
        var json = SharedOptions.Json();
        var command = new Command(
            "gc",
            "Delete blobs that no version, kept result or saved position needs. The first call marks them; a later one, once the "
                + "grace period is over, deletes those that are still not needed.\n\n  espalier gc --dry-run\n  espalier gc --grace 24h --cache-age 30d")
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
        Line("needed by versions and their ancestors", report.RegisteredBytes);
        Line("kept results of steps", report.CacheBytes);
        Line("saved positions of unfinished steps", report.PositionBytes);
        Line("not needed, but stored recently", report.YoungBytes, report.YoungBlobs);
        Line("marked: a later call deletes them", report.CondemnedBytes, report.CondemnedBlobs);
        Line(report.DryRun ? "would be deleted now" : "deleted", report.DeletedBytes, report.DeletedBlobs);
        foreach (var root in report.Unreadable)
            terminal.Output.WriteLine($"nothing is deleted: the manifest {root.Hex} of a version is damaged; espalier fsck says how to repair it");
        if (report.DroppedResults > 0)
            terminal.Output.WriteLine($"{report.DroppedResults} kept results {(report.DryRun ? "would be" : "were")} dropped");

        void Line(string what, long bytes, long? blobs = null) =>
            terminal.Output.WriteLine($"{what,-39} {bytes,18:N0} bytes{(blobs is null ? "" : $", {blobs} blobs")}");
    }
}
