namespace Espalier.Platform;

/// <summary>The end of a log file.</summary>
public static class LogTail
{
    private const int MostBytes = 256 * 1024;

    /// <summary>The last lines of a file; empty when it does not exist.</summary>
    public static string Read(string path, int lines)
    {
        if (!File.Exists(path))
            return "";
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Seek(-Math.Min(MostBytes, file.Length), SeekOrigin.End);
        using var reader = new StreamReader(file);
        return string.Join(Environment.NewLine, reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(lines));
    }
}
