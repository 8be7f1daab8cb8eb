using System.Text.RegularExpressions;

namespace Espalier.Pipelines.Text;

/// <summary>What an unquoted YAML scalar is (the JSON-like core: no octal, no <c>yes</c>, no dates).</summary>
public static partial class ScalarTypes
{
    /// <summary>The kind of an unquoted scalar.</summary>
    public static NodeKind Of(string text) => text switch
    {
        "" or "~" or "null" => NodeKind.Null,
        "true" or "false" => NodeKind.Bool,
        _ => Number().IsMatch(text) ? NodeKind.Number : NodeKind.Text,
    };

    [GeneratedRegex(@"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
