using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>A page by the rules of axe: nothing that is worse than minor.</summary>
internal static class AxeRules
{
    private static readonly AxeRunOptions Options = new()
    {
        // What is said aloud contains what is seen: axe has the rule, and leaves it off.
        Rules = new Dictionary<string, RuleOptions> { ["label-content-name-mismatch"] = new() { Enabled = true } },
    };

    /// <summary>What a page breaks, a line for each element.</summary>
    public static async Task<IEnumerable<string>> FindAsync(IPage page, string name)
    {
        var result = await page.RunAxe(Options);
        return result.Violations.Where(v => v.Impact is not (null or "minor")).SelectMany(v => v.Nodes.Take(3).Select(
            n => $"{name}: {v.Impact} {v.Id} ({v.Help}): {n.Html} {string.Join("; ", n.Any.Concat(n.All).Concat(n.None).Select(c => c.Message))}"));
    }
}
