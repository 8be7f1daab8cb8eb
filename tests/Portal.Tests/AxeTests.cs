using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Every page in both themes, wide and narrow, by the rules of axe: nothing that is worse than minor.</summary>
[Collection(PortalCollection.Name)]
public sealed class AxeTests(PortalSite site)
{
    private static readonly AxeRunOptions Options = new()
    {
        // What is said aloud contains what is seen: axe has the rule, and leaves it off.
        Rules = new Dictionary<string, RuleOptions> { ["label-content-name-mismatch"] = new() { Enabled = true } },
    };

    [Theory]
    [InlineData(false, 1360)]
    [InlineData(true, 1360)]
    [InlineData(false, 390)]
    [InlineData(true, 390)]
    public async Task Pages_ByTheRulesOfAxe_HaveNothingWorseThanMinor(bool isDark, int width)
    {
        var paths = await LookTests.PrepareAsync(site);
        File.Delete(site.Gate);
        var waiting = await site.SubmitAsync(Pipelines.Waiting("axe", site.Gate));
        await using var visit = await site.VisitAsAsync("admin", isDark: isDark, width: width);
        var findings = new List<string>();

        foreach (var (name, path) in paths.Append(("run-live", $"/runs/{waiting}")))
        {
            await LookTests.OpenAsync(visit, path);
            await LookAsync(visit.Page, name, findings);
        }
        await using var stranger = await site.VisitAsync(isDark, width);
        await stranger.Page.GotoAsync("/");
        await stranger.Page.GetByLabel("API key").WaitForAsync();
        await LookAsync(stranger.Page, "sign-in", findings);

        await File.WriteAllTextAsync(site.Gate, "open");
        await site.EndAsync(waiting);
        findings.ShouldBeEmpty(string.Join('\n', findings));
    }

    private static async Task LookAsync(IPage page, string name, List<string> findings)
    {
        var result = await page.RunAxe(Options);
        findings.AddRange(result.Violations.Where(v => v.Impact is not (null or "minor")).SelectMany(v => v.Nodes.Take(3).Select(
            n => $"{name}: {v.Impact} {v.Id} ({v.Help}): {n.Html} {string.Join("; ", n.Any.Concat(n.All).Concat(n.None).Select(c => c.Message))}")));
    }
}
