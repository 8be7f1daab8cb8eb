namespace Espalier.Artifacts.Blobs;

/// <summary>
/// The store's location in a file, such as a mounted secret. The file is read again while requests are made, so that whoever renews a
/// signature or a key writes the file, and no service starts again.
/// </summary>
internal sealed class LocationFile
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly Lock _reading = new();
    private string _current;
    private long _readAt;

    /// <exception cref="IOException">The file cannot be read.</exception>
    public LocationFile(string path, TimeProvider time)
    {
        (_path, _time) = (path, time);
        (_current, _readAt) = (Read(path), time.GetTimestamp());
    }

    /// <summary>The location as it was a second ago or later; the last one that could be read while the file is being replaced.</summary>
    public string Current
    {
        get
        {
            lock (_reading)
            {
                if (_time.GetElapsedTime(_readAt) < Fresh)
                    return _current;
                _readAt = _time.GetTimestamp();
                try
                {
                    if (Read(_path) is { Length: > 0 } location)
                        _current = location;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // It is being replaced; if it stays away, the store says at last that what is known is not valid any more.
                }
                return _current;
            }
        }
    }

    /// <summary>What a file says, without the line's end.</summary>
    public static string Read(string path) => File.ReadAllText(path).Trim();
}
