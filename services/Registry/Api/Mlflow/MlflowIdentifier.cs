namespace Espalier.Registry.Api.Mlflow;

/// <summary>
/// Names in filters and orders. One in back-ticks may hold anything but a back-tick, one in double quotes anything but a double
/// quote; as with MLflow's own clients the double quotes come off first and the back-ticks inside them next.
/// </summary>
internal static class MlflowIdentifier
{
    /// <summary>A name as it is written, for regular expressions.</summary>
    public const string Pattern = """(`[^`]{1,250}`|"[^"]{1,250}"|[A-Za-z_][A-Za-z0-9_.\-/]*)""";

    /// <summary>The name itself.</summary>
    public static string Unquote(string name) => Strip(Strip(name, '"'), '`');

    private static string Strip(string name, char quote) => name.Length > 2 && name[0] == quote && name[^1] == quote ? name[1..^1] : name;
}
