using System.CommandLine;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier tags NAME[@VERSION]</c>: shows and changes the tags of a model or of one version.</summary>
internal static class TagsCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "NAME for the model itself; NAME@VERSION or NAME@ALIAS for a version." };
        var tags = new Argument<string[]>("KEY=VALUE") { Description = "Tags to set.", Arity = ArgumentArity.ZeroOrMore };
        var remove = new Option<string[]>("--remove") { Description = "Remove this tag; may be repeated.", HelpName = "KEY" };
        var json = SharedOptions.Json();
        var command = new Command(
            "tags",
            "Show or change the tags of a model or of a version.\n\n  espalier tags quickstart@3\n  espalier tags quickstart@3 data=wiki reviewed=yes\n"
                + "  espalier tags quickstart --remove draft")
        {
            model, tags, remove, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var changes = Read(parsed.GetValue(tags) ?? [], parsed.GetValue(remove) ?? []);
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var reference = parsed.GetRequiredValue(model);
            var version = reference.Contains('@', StringComparison.Ordinal)
                ? await models.ResolveAsync(reference, cancellationToken).ConfigureAwait(false)
                : null;
            var (name, current) = version is not null
                ? (version.Model, version.Tags)
                : (reference, (await models.FindModelAsync(reference, cancellationToken).ConfigureAwait(false)).Tags);
            if (changes.Count > 0)
                current = await models.ChangeTagsAsync(name, version?.Version, changes, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Model = name, version?.Version, Tags = current });
            else if (current.Count == 0)
                terminal.Output.WriteLine("No tags.");
            else
                foreach (var (key, value) in current.OrderBy(t => t.Key, StringComparer.Ordinal))
                    terminal.Output.WriteLine($"{key}={value}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Dictionary<string, string?> Read(string[] pairs, string[] removed)
    {
        var changes = removed.Distinct().ToDictionary(k => k, _ => (string?)null);
        foreach (var pair in pairs)
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new UserInputException($"'{pair}': expected KEY=VALUE, such as reviewed=yes.");
            if (!changes.TryAdd(pair[..equals], pair[(equals + 1)..]))
                throw new UserInputException($"The tag '{pair[..equals]}' is given twice.");
        }
        return changes;
    }
}
