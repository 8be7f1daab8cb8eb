using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>Somebody at the portal: one browser profile, one page. Every error of the page and every request elsewhere is kept.</summary>
public sealed class PortalVisit : IAsyncDisposable
{
    /// <summary>Milliseconds until something that must come is given up: it never takes this long, but on a busy machine it may take long.</summary>
    public const float Patience = 120_000;

    private readonly PortalSite _site;
    private readonly IBrowserContext _context;
    private readonly List<string> _errors = [];

    private PortalVisit(PortalSite site, IBrowserContext context, IPage page) => (_site, _context, Page) = (site, context, page);

    /// <summary>The page.</summary>
    public IPage Page { get; }

    /// <summary>Errors of scripts, refusals by the content security policy, requests to other places.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>The cookies of the profile.</summary>
    public Task<IReadOnlyList<BrowserContextCookiesResult>> CookiesAsync() => _context.CookiesAsync();

    /// <summary>What the profile keeps: its session.</summary>
    public Task<string> SessionAsync() => _context.StorageStateAsync();

    internal static async Task<PortalVisit> OpenAsync(PortalSite site, string? session, bool isDark, int width, int height)
    {
        var context = await site.Browser.NewContextAsync(new()
        {
            BaseURL = site.Address.ToString(),
            StorageState = session,
            ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light,
            ViewportSize = new() { Width = width, Height = height },
        });
        context.SetDefaultTimeout(Patience);
        var visit = new PortalVisit(site, context, await context.NewPageAsync());
        visit.Watch(visit.Page);
        return visit;
    }

    /// <summary>Another tab of the same browser, at a page.</summary>
    public async Task<IPage> NewTabAsync(string path)
    {
        var tab = await _context.NewPageAsync();
        Watch(tab);
        await tab.GotoAsync(path);
        return tab;
    }

    /// <summary>Goes to the door and types a key.</summary>
    public async Task SignInAsync(string key)
    {
        await Page.GotoAsync("/");
        await TypeKeyAsync(key);
    }

    /// <summary>Types a key at the door.</summary>
    public async Task TypeKeyAsync(string key)
    {
        await Page.GetByLabel("API key").FillAsync(key);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Page.GetByRole(AriaRole.Navigation).WaitForAsync();
    }

    /// <summary>Waits for another page of the portal, by looking at the address again and again: one change may come before anybody listens.</summary>
    public async Task MovesToAsync(string pattern)
    {
        try
        {
            await Assertions.Expect(Page).ToHaveURLAsync(new Regex(pattern), new() { Timeout = Patience });
        }
        catch (PlaywrightException e)
        {
            throw new TimeoutException($"{Page.Url} says:\n{await Page.InnerTextAsync("body")}", e);
        }
    }

    /// <summary>The status that a script of the page gets for a request as the portal sends it.</summary>
    public Task<int> StatusOfAsync(string method, string path, string? body = null) => Page.EvaluateAsync<int>(
        """
        async ([method, path, body]) => {
          const headers = { 'X-Espalier-Request': '1', 'Content-Type': 'application/json' };
          return (await fetch(path, { method, headers, body: body ?? undefined })).status;
        }
        """, new[] { method, path, body });

    /// <summary>Keeps a picture.</summary>
    public Task PictureAsync(string name) => Page.ScreenshotAsync(new() { Path = Path.Combine(_site.Pictures, name + ".png"), FullPage = true });

    /// <summary>Nothing went wrong in the page, or the test fails.</summary>
    public void ShouldHaveNoErrors() => _errors.ShouldBeEmpty();

    private void Watch(IPage page)
    {
        page.PageError += (_, error) => _errors.Add($"script: {error}");
        page.Console += (_, message) =>
        {
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                _errors.Add($"console: {message.Text}");
        };
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(_site.Address.ToString(), StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                _errors.Add($"request elsewhere: {request.Url}");
        };
    }

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();
}
