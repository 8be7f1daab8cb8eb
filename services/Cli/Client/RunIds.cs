using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Client;

/// <summary>Run ids as users type them.</summary>
internal static class RunIds
{
    private const int Most = 1000;

    /// <summary>How a run is named, for help.</summary>
    public const string Help = "A run: its name, such as tiny#12, its id, or the first digits of it.";

    /// <summary>The one run of that name, or whose id begins with the text, archived or not.</summary>
    /// <inheritdoc cref="Choose"/>
    public static async Task<Guid> ChooseAsync(string text, Func<RunQuery, Task<IReadOnlyList<RunView>>> list)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        if (RunQuery.ByLabel(text) is { } named)
        {
            var runs = await list(named).ConfigureAwait(false) is { Count: > 0 } here
                ? here
                : await list(named with { IsArchived = true }).ConfigureAwait(false);
            return runs is [var run, ..] ? run.RunId : throw new UserInputException($"There is no run '{text}'; see espalier runs --name {named.Name}.");
        }
        var query = new RunQuery { Limit = Most, IdPrefix = text };
        var found = await list(query).ConfigureAwait(false);
        var archived = await list(query with { IsArchived = true }).ConfigureAwait(false);
        return Choose(text, found.Concat(archived).Select(r => r.RunId).Distinct());
    }

    /// <summary>The one run whose id begins with the text.</summary>
    /// <exception cref="UserInputException">There is none, or there are several.</exception>
    public static Guid Choose(string text, IEnumerable<Guid> runs)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        var wanted = text.Replace("-", "", StringComparison.Ordinal);
        var found = runs.Where(r => r.ToString("N").StartsWith(wanted, StringComparison.OrdinalIgnoreCase)).ToList();
        return found switch
        {
            [var one] => one,
            [] => throw new UserInputException($"There is no run '{text}'; see espalier runs."),
            _ => throw new UserInputException($"'{text}' begins the id of {found.Count} runs; give more digits."),
        };
    }
}
