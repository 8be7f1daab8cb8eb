using Espalier.Contracts;

namespace Espalier.Cli.Contexts;

/// <summary>Where commands work: in the files of this home, or on a platform.</summary>
internal sealed record CommandContext
{
    /// <summary>The files of this home, in this process.</summary>
    public const string LocalName = "local";

    /// <summary>The platform that <c>espalier up</c> started in this home.</summary>
    public const string PlatformName = "platform";

    private CommandContext()
    {
    }

    /// <summary>Name for people.</summary>
    public required string Name { get; init; }

    /// <summary>Address of the orchestrator; null where there is none.</summary>
    public Uri? Orchestrator { get; private init; }

    /// <summary>Address of the registry and its portal; null where there is none.</summary>
    public Uri? Registry { get; private init; }

    /// <summary>API key; null where none is needed or known.</summary>
    public string? Key { get; private init; }

    /// <summary>Whether commands work on the files of this home.</summary>
    public bool IsLocal => Orchestrator is null && Registry is null;

    /// <summary>Whether it is the platform that this home's <c>espalier up</c> started, so that its store can be opened from here.</summary>
    public bool IsOfHome { get; private init; }

    /// <summary>The files of this home.</summary>
    public static CommandContext Local { get; } = new() { Name = LocalName };

    /// <summary>A platform; an address that is empty or null is not known.</summary>
    /// <exception cref="UserInputException">An address is not one.</exception>
    public static CommandContext Of(string name, string? orchestrator, string? registry, string? key, bool isOfHome = false) => new()
    {
        Name = name,
        Orchestrator = Address(orchestrator),
        Registry = Address(registry),
        Key = key,
        IsOfHome = isOfHome,
    };

    /// <summary>The context as the first line of a command's messages names it.</summary>
    public override string ToString() =>
        $"context {Name}{((Registry ?? Orchestrator)?.ToString().TrimEnd('/') is { } address && address != Name ? $" ({address})" : "")}";

    /// <summary>Page of a run in the portal; null when there is no portal.</summary>
    public string? RunPage(Guid run) => Registry is null ? null : new Uri(Registry, $"/runs/{run}").ToString();

    private static Uri? Address(string? text) =>
        string.IsNullOrEmpty(text) ? null
        : Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" ? address
        : throw new UserInputException($"'{text}' is not the address of a server: expected one such as http://127.0.0.1:8080.");
}
