namespace Espalier.Datasets.Sources;

/// <summary>What to say about fields of records.</summary>
internal static class FieldNames
{
    private const int Shown = 6;

    /// <summary>A record lacks the field; names those that it has.</summary>
    public static string Missing(string field, IReadOnlyList<string> fields)
    {
        var rest = fields.Count > Shown ? $" and {fields.Count - Shown} more" : "";
        var names = fields.Count == 0 ? "none" : string.Join(", ", fields.Take(Shown).Select(name => $"'{name}'")) + rest;
        return $"it has no field '{field}'; it has {names}";
    }
}
