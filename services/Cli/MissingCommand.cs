using System.CommandLine;
using System.CommandLine.Parsing;
using Espalier.Contracts;

namespace Espalier.Cli;

/// <summary>What is said where a command is expected and none, or an unknown one, is given.</summary>
internal static class MissingCommand
{
    /// <summary>The one problem; null when something else is wrong.</summary>
    public static IReadOnlyList<Problem>? Find(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (command.Subcommands.Count == 0 || command.Action is not null)
            return null;
        var names = command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name).ToList();
        var path = string.Join(' ', PathOf(parsed.CommandResult).Reverse());
        var message = parsed.UnmatchedTokens is [var word, ..]
            ? $"There is no command '{path} {word}': {NearestWord.Hint(word, names)} See {path} --help."
            : $"{path} needs a command: {string.Join(", ", names)}. See {path} --help.";
        return [new Problem("command line", 0, 0, message)];
    }

    private static IEnumerable<string> PathOf(CommandResult command)
    {
        for (var at = command; at is not null; at = at.Parent as CommandResult)
            yield return at.Command is RootCommand ? ProgramName.Value : at.Command.Name;
    }
}
