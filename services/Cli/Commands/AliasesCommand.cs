using System.CommandLine;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Registry.Api;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier aliases NAME</c>: where a model's aliases point, and how they came there.</summary>
internal static class AliasesCommand
{
    private const int Moves = 20;

    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("NAME") { Description = "Name of the model." };
        var remove = new Option<string?>("--remove") { Description = "Remove this alias.", HelpName = "ALIAS" };
        var reason = new Option<string>("--reason") { Description = "Why, for the record.", DefaultValueFactory = _ => "" };
        var json = SharedOptions.Json();
        var command = new Command(
            "aliases",
            "Show a model's aliases and their last moves; espalier promote moves one.\n\n  espalier aliases quickstart\n"
                + "  espalier aliases quickstart --remove candidate --reason 'withdrawn'")
        {
            model, remove, reason, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetRequiredValue(model);
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var found = await models.FindModelAsync(name, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(remove) is { } alias)
            {
                if (!found.Aliases.ContainsKey(alias))
                    throw new UserInputException($"'{name}' has no alias '{alias}': there are {string.Join(", ", found.Aliases.Keys.DefaultIfEmpty("none"))}.");
                await models.RemoveAliasAsync(name, alias, parsed.GetRequiredValue(reason), cancellationToken).ConfigureAwait(false);
                found = await models.FindModelAsync(name, cancellationToken).ConfigureAwait(false);
            }
            var moves = await models.MovesAsync(name, Moves, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Model = found.Name, found.Aliases, Moves = moves });
            else
                Write(terminal, found, moves);
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Write(Terminal terminal, ModelView model, IReadOnlyList<MoveView> moves)
    {
        if (model.Aliases.Count == 0)
            terminal.Output.WriteLine($"{model.Name} has no aliases: espalier promote {model.Name}@VERSION ALIAS sets one.");
        foreach (var (alias, version) in model.Aliases.OrderBy(a => a.Key, StringComparer.Ordinal))
            terminal.Output.WriteLine($"{alias}  {model.Name}@{version}");
        if (moves.Count == 0)
            return;
        var table = new Table().RoundedBorder().AddColumns("alias", "from", "to", "moved", "by", "reason");
        foreach (var move in moves)
            table.AddRow(
                Markup.Escape(move.Alias), move.Previous is { } from ? $"{from}" : "-", move.Version is { } to ? $"{to}" : "removed",
                $"{move.MovedAt.ToLocalTime():yyyy-MM-dd HH:mm}", Markup.Escape(move.Actor), Markup.Escape(move.Reason));
        terminal.Write(table);
    }
}
