namespace Espalier.Portal.Tests;

/// <summary>What tests run within a page.</summary>
internal static class PageScripts
{
    /// <summary>Counts the shapes that the first curve has while something runs.</summary>
    public const string WatchCurves =
        """
        () => {
          window.curves = new Set();
          new MutationObserver(() => {
            const curve = document.querySelector('.curve');
            if (curve && document.querySelector('h1 .state.running')) window.curves.add(curve.getAttribute('d'));
          }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['d'] });
        }
        """;

    /// <summary>Notes when the page first shows elements, by their ids or else their texts, by the page's own clock.</summary>
    public const string Watch =
        """
        selector => {
          window.seen = {};
          const look = () => document.querySelectorAll(selector).forEach(element => window.seen[element.id || element.textContent] ??= Date.now());
          new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true, characterData: true });
        }
        """;

    /// <summary>Makes the page believe that its tab is hidden, or seen again.</summary>
    public const string Hide =
        """
        isHidden => {
          Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }
        """;
}
