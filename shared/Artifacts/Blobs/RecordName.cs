namespace Espalier.Artifacts.Blobs;

/// <summary>Names of records: <c>folder/name</c>, which become paths or keys, so only plain characters are let in.</summary>
internal static class RecordName
{
    private const int MaxLength = 512;

    /// <summary>Returns the name when it is usable.</summary>
    /// <exception cref="ArgumentException">It is not.</exception>
    public static string Check(string name)
    {
        if (!IsValid(name))
            throw new ArgumentException(
                $"'{name}' cannot name a record: expected folder/name of letters, digits, '-', '_' and '.', no part starting with '.', at "
                    + $"most {MaxLength} characters.", nameof(name));
        return name;
    }

    /// <summary>Whether a name is usable.</summary>
    public static bool IsValid(string name) => name.Length <= MaxLength && name.Split('/') is { Length: >= 2 } segments && segments.All(IsPlain);

    private static bool IsPlain(string segment) =>
        segment.Length > 0 && segment[0] != '.' && segment.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
