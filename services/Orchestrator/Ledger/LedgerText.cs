namespace Espalier.Orchestrator.Ledger;

/// <summary>Texts of others, such as failure messages, as every database can hold them.</summary>
internal static class LedgerText
{
    private const char Replacement = '\uFFFD';

    /// <summary>The text without NUL characters, which PostgreSQL refuses together with the whole transaction.</summary>
    public static string Clean(string text) => text.Replace('\0', Replacement);
}
