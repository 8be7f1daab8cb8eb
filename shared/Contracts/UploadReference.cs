namespace Espalier.Contracts;

/// <summary>
/// How a source of text names the user's own files that were uploaded: <c>upload:DIGEST/NAME</c> in the place of a path. The digest is that of
/// the content, as it is of a file that lies somewhere, so that equal text is the same work wherever it came from.
/// </summary>
/// <param name="Fingerprint">Digest of the file, or of the names and digests of a folder's files.</param>
/// <param name="Name">What the file or folder is called.</param>
public sealed record UploadReference(Digest Fingerprint, string Name)
{
    /// <summary>What such a reference begins with.</summary>
    public const string Form = "upload:";

    private const int DigestLength = 64, LongestName = 255;

    /// <summary>Whether a text stands in the place of a path for something uploaded, well formed or not.</summary>
    public static bool IsOne(string path) => path.StartsWith(Form, StringComparison.Ordinal);

    /// <summary>Reads <c>upload:DIGEST/NAME</c>.</summary>
    public static bool TryParse(string path, out UploadReference reference)
    {
        reference = null!;
        var slash = Form.Length + DigestLength;
        if (!IsOne(path) || path.Length <= slash || path[slash] != '/' || !Digest.TryParse(path[Form.Length..slash], out var digest))
            return false;
        var name = path[(slash + 1)..];
        if (!IsName(name))
            return false;
        reference = new UploadReference(digest, name);
        return true;
    }

    /// <summary>A name that every file system takes, as near as possible to that of a file.</summary>
    public static string NameOf(string path)
    {
        var name = new string([.. Path.GetFileName(Path.TrimEndingDirectorySeparator(path)).Select(c => IsPlain(c) ? c : '-').Take(LongestName)]);
        return IsName(name) ? name : "text";
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Form}{Fingerprint.Hex}/{Name}";

    private static bool IsName(string name) => name.Length is > 0 and <= LongestName && name is not ("." or "..") && name.All(IsPlain);

    private static bool IsPlain(char c) => !char.IsControl(c) && c is not ('/' or '\\' or ':' or '$' or '"');
}
