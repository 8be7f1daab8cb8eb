using System.CommandLine;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Contexts;

/// <summary>
/// Which context a command works in: <c>--context</c>, else <c>--server</c> where the command has it, else
/// <c>ESPALIER_CONTEXT</c>, else <c>ESPALIER_SERVER</c>, else the selected one. When that is not this home, the command's
/// first message names it.
/// </summary>
internal static class ContextChoice
{
    public const string OptionName = "--context";
    private const string ContextVariable = "ESPALIER_CONTEXT";
    private const string ServerVariable = "ESPALIER_SERVER", RegistryVariable = "ESPALIER_REGISTRY", KeyVariable = "ESPALIER_KEY";

    /// <summary>The option that every command has.</summary>
    public static Option<string?> Option() => new(OptionName)
    {
        Description = "Work there instead of in the selected context; see espalier context list. Also ESPALIER_CONTEXT.",
        HelpName = "NAME",
        Recursive = true,
    };

    /// <summary>The context of a command that takes no addresses.</summary>
    public static CommandContext Choose(ParseResult parsed, Terminal terminal) => Choose(parsed, terminal, null, null, null);

    /// <summary>The context of a command whose options may name servers.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="terminal">Where a context that is not local is named.</param>
    /// <param name="orchestrator">Address of an orchestrator, from an option.</param>
    /// <param name="registry">Address of a registry, from an option.</param>
    /// <param name="key">API key, from an option.</param>
    /// <exception cref="UserInputException">There is no such context, or the options exclude each other.</exception>
    public static CommandContext Choose(ParseResult parsed, Terminal terminal, string? orchestrator, string? registry, string? key)
    {
        var context = Find(EspalierHome.OfThisProcess(), parsed.GetValue<string?>(OptionName), orchestrator, registry, key);
        if (!context.IsLocal)
            terminal.Say($"On {context}:");
        return context;
    }

    /// <summary>Says that a command works in this process although a platform is selected.</summary>
    public static void SayLocal(ParseResult parsed, Terminal terminal, string instead)
    {
        var name = parsed.GetValue<string?>(OptionName)
            ?? Variable(ContextVariable) ?? Variable(ServerVariable) ?? SavedContexts.Read(EspalierHome.OfThisProcess()).Current;
        if (name != CommandContext.LocalName)
            terminal.Say($"In this process, on the files of this home, although the context is '{name}'. {instead}");
    }

    private static CommandContext Find(EspalierHome home, string? named, string? orchestrator, string? registry, string? key)
    {
        var saved = SavedContexts.Read(home);
        key ??= Variable(KeyVariable);
        if (named is not null && (orchestrator ?? registry) is not null)
            throw new UserInputException("--context and --server exclude each other: a context has the addresses already.");
        if ((orchestrator ?? registry) is not null)
            return WithKnownKey(home, saved, CommandContext.Of((orchestrator ?? registry)!, orchestrator, registry, key));
        if ((named ?? Variable(ContextVariable)) is { } name)
            return saved.Find(home, name);
        if (Variable(ServerVariable) is { } server)
            return WithKnownKey(home, saved, CommandContext.Of(server, server, Variable(RegistryVariable), key));
        return saved.Find(home, saved.Current);
    }

    /// <summary>A server whose key this home knows needs none on the command line.</summary>
    private static CommandContext WithKnownKey(EspalierHome home, SavedContexts saved, CommandContext context)
    {
        if (context.Key is not null)
            return context;
        var known = saved.Contexts.Keys.Select(n => saved.Find(home, n)).Prepend(SavedContexts.FindPlatform(home)).OfType<CommandContext>();
        var match = known.FirstOrDefault(
            c => context.Orchestrator is { } o && o == c.Orchestrator || context.Registry is { } r && r == c.Registry);
        return match is null
            ? throw new UserInputException($"{context.Name} needs a key: give --key, or set {KeyVariable}.")
            : CommandContext.Of(context.Name, $"{context.Orchestrator}", $"{context.Registry}", match.Key, match.IsOfHome);
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
