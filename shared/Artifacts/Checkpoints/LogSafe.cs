namespace Espalier.Artifacts.Checkpoints;

/// <summary>Names from untrusted files as they may appear in a message: short, and without control characters.</summary>
internal static class LogSafe
{
    private const int MaxLength = 120;

    public static string Name(string name)
    {
        var cut = name.Length > MaxLength ? $"{name[..MaxLength]}... ({name.Length} characters)" : name;
        return string.Concat(cut.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? $"\\u{(int)c:x4}" : c.ToString()));
    }
}
