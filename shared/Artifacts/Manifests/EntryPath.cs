namespace Espalier.Artifacts.Manifests;

/// <summary>Paths of files within an artifact: relative, forward slashes, and never out of it.</summary>
public static class EntryPath
{
    private const int MaxLength = 512;

    /// <summary>Returns the path when it is usable.</summary>
    /// <exception cref="ArgumentException">It is empty, absolute, too long, or has an empty part, <c>.</c>, <c>..</c>, a
    /// backslash, a colon or a control character.</exception>
    public static string Check(string path) =>
        path.Length is > 0 and <= MaxLength
            && path.Split('/').All(part => part is not ("" or "." or ".."))
            && !path.Any(c => c is '\\' or ':' || char.IsControl(c))
            ? path
            : throw new ArgumentException(
                $"'{path}' cannot be the path of a file in an artifact: expected a relative path such as config.json or train/general.jsonl.",
                nameof(path));
}
