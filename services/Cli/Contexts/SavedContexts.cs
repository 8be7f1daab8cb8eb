using Espalier.Contracts;

namespace Espalier.Cli.Contexts;

/// <summary>A platform as it is kept.</summary>
/// <param name="Orchestrator">Address of the orchestrator.</param>
/// <param name="Registry">Address of the registry.</param>
/// <param name="Key">API key.</param>
internal sealed record SavedContext(string Orchestrator, string Registry, string Key);

/// <summary>
/// The contexts of a home, <c>contexts.json</c>, readable by its owner only since it holds keys. The one that
/// <c>espalier up</c> makes is not kept here: its addresses are those of the processes that run.
/// </summary>
internal sealed record SavedContexts
{
    private const int LongestName = 64;

    /// <summary>Name of the selected one.</summary>
    public string Current { get; init; } = CommandContext.LocalName;

    /// <summary>Platforms by name.</summary>
    public IReadOnlyDictionary<string, SavedContext> Contexts { get; init; } = new Dictionary<string, SavedContext>();

    /// <summary>Reads them; without a file there is only <c>local</c>.</summary>
    public static SavedContexts Read(EspalierHome home) => PrivateFile.Read<SavedContexts>(FileOf(home)) ?? new SavedContexts();

    /// <summary>Selects a context.</summary>
    public static void Select(EspalierHome home, string name)
    {
        if (Read(home) is var saved && saved.Current != name)
            (saved with { Current = name }).Write(home);
    }

    /// <summary>Keeps them.</summary>
    public void Write(EspalierHome home) => PrivateFile.Write(FileOf(home.Create()), this);

    /// <summary>The context of a name.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public CommandContext Find(EspalierHome home, string name)
    {
        if (name == CommandContext.LocalName)
            return CommandContext.Local;
        if (Contexts.TryGetValue(name, out var saved))
            return CommandContext.Of(name, saved.Orchestrator, saved.Registry, saved.Key);
        if (name != CommandContext.PlatformName)
            throw new UserInputException($"There is no context '{name}': there are {string.Join(", ", Names(home))}. espalier context add makes one.");
        return FindPlatform(home) ?? throw new UserInputException(
            $"The context is '{name}', but no platform runs in {home.Path}: start it with espalier up, or go back with espalier context use local.");
    }

    /// <summary>The platform that runs in a home; null when there is none.</summary>
    public static CommandContext? FindPlatform(EspalierHome home) => PlatformControl.Read(home) is { } running
        ? CommandContext.Of(CommandContext.PlatformName, running.Orchestrator, running.Registry, running.Key, isOfHome: true)
        : null;

    /// <summary>Names that can be selected.</summary>
    public IEnumerable<string> Names(EspalierHome home) =>
        [CommandContext.LocalName, .. FindPlatform(home) is null ? [] : new[] { CommandContext.PlatformName }, .. Contexts.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Makes sure that a new context may have this name.</summary>
    /// <exception cref="UserInputException">It may not.</exception>
    public static void CheckName(string name)
    {
        if (name is CommandContext.LocalName or CommandContext.PlatformName)
            throw new UserInputException(
                $"'{name}' is taken: 'local' is this home, and 'platform' is what espalier up starts in it. Choose another name.");
        if (name.Length is 0 or > LongestName || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            throw new UserInputException($"'{name}' cannot name a context: use up to {LongestName} letters, digits, '-', '_' and '.'.");
    }

    private static string FileOf(EspalierHome home) => Path.Combine(home.Path, "contexts.json");
}
