namespace Espalier.Registry.Queries;

/// <summary>
/// Versions by a tag's value. The index holds only the beginning of a value, since PostgreSQL bounds the length of its entries; a
/// condition names that beginning as the index does, and the whole value beside it.
/// </summary>
internal static class TagIndex
{
    /// <summary>The statement that gives the ids of versions whose tag has a value, as <c>version_id</c>.</summary>
    /// <param name="tag">Parameter with the tag's name.</param>
    /// <param name="value">Parameter with the value.</param>
    public static string Ids(string tag, string value) =>
        $"""
        select t.version_id from registry_tag t
        where t.tag = {tag} and substr(t.value, 1, 200) = substr({value}, 1, 200) and t.value = {value} and t.version_id > 0
        """;
}
