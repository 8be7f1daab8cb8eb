using System.CommandLine;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Registry.Api;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier promote NAME@N ALIAS</c>, and back: <c>espalier promote NAME@ALIAS --revert</c>.</summary>
internal static class PromoteCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "NAME@VERSION to point the alias to; with --revert, NAME@ALIAS." };
        var alias = new Argument<string?>("ALIAS") { Description = "Alias to move.", Arity = ArgumentArity.ZeroOrOne };
        var revert = new Option<bool>("--revert") { Description = "Point the alias to where it pointed before its last move." };
        var reason = new Option<string>("--reason") { Description = "Why, for the record.", DefaultValueFactory = _ => "" };
        var json = SharedOptions.Json();
        var command = new Command(
            "promote",
            "Move an alias, if its gate lets it, or undo its last move.\n\n  espalier promote quickstart@3 champion --reason 'lower loss'\n"
                + "  espalier promote quickstart@champion --revert")
        {
            model,
            alias,
            revert,
            reason,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var move = await MoveAsync(
                models, parsed.GetRequiredValue(model), parsed.GetValue(alias), parsed.GetValue(revert), parsed.GetRequiredValue(reason),
                cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { move.Alias, move.Version, move.Previous, move.Actor, move.Reason, move.Kind });
            else
                terminal.Output.WriteLine($"{move.Alias} points to version {move.Version}{(move.Previous is > 0 ? $" (was {move.Previous})" : "")}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<MoveView> MoveAsync(
        IModels models, string reference, string? alias, bool revert, string reason, CancellationToken cancellationToken)
    {
        if (revert)
        {
            var parts = reference.Split('@');
            return parts.Length == 2
                ? await models.RevertAliasAsync(parts[0], parts[1], reason, cancellationToken).ConfigureAwait(false)
                : throw new UserInputException("--revert needs NAME@ALIAS.");
        }
        var wanted = alias ?? throw new UserInputException("Which alias? espalier promote NAME@VERSION ALIAS");
        var version = await models.ResolveAsync(reference, cancellationToken).ConfigureAwait(false);
        return await models.MoveAliasAsync(version, wanted, reason, cancellationToken).ConfigureAwait(false);
    }
}
