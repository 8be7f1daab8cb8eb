using Espalier.Contracts;

namespace Espalier.Platform;

/// <summary>The folder that holds everything of this machine: <c>$ESPALIER_HOME</c>, else <c>.espalier</c> of the current folder.</summary>
public sealed class EspalierHome(string path)
{
    private const string Variable = "ESPALIER_HOME";

    // errno of a lock that another process holds, and its counterpart on Windows.
    private const int HeldElsewhere = 11, SharingViolation = unchecked((int)0x80070020);
    private const int NoSpace = 28, QuotaExceeded = 122;

    /// <summary>Full path.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    public string StoreFolder => System.IO.Path.Combine(Path, "store");

    public string CacheFolder => System.IO.Path.Combine(Path, "cache");

    public string ReportsFolder => System.IO.Path.Combine(Path, "reports");

    public string LogFile => System.IO.Path.Combine(Path, "espalier.log");

    public string DatabaseFile => System.IO.Path.Combine(Path, "espalier.db");

    /// <summary>Whether anything is kept here yet.</summary>
    public bool Exists => File.Exists(DatabaseFile);

    public string Connection => $"Data Source={DatabaseFile}";

    public static EspalierHome OfThisProcess() =>
        new(Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : ".espalier");

    /// <summary>Creates the folder, and makes sure that it can be written.</summary>
    /// <exception cref="UserInputException">It cannot be made or written; the text says why.</exception>
    /// <exception cref="IOException">The disk is full.</exception>
    public EspalierHome Create()
    {
        Write("made", () => Directory.CreateDirectory(Path));
        var probe = System.IO.Path.Combine(Path, $".probe-{Guid.NewGuid():n}");
        Write("written", () =>
        {
            using var file = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
            file.WriteByte(0);
        });
        return this;
    }

    /// <summary>Keeps other processes from running work here until it is disposed: two orchestrators must not share a ledger.</summary>
    /// <exception cref="UserInputException">Another process is at work here, or the folder cannot be written.</exception>
    public IDisposable Claim()
    {
        FileStream? claim = null;
        Write("written", () =>
        {
            try
            {
                claim = new FileStream(System.IO.Path.Combine(Path, "in-use"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException exception) when (exception.HResult is HeldElsewhere or SharingViolation)
            {
                throw new UserInputException($"Another espalier process works in {Path}: wait for it, or set {Variable} to another folder.", exception);
            }
        });
        return claim!;
    }

    private void Write(string what, Action write)
    {
        try
        {
            write();
        }
        catch (IOException exception) when (exception.HResult is NoSpace or QuotaExceeded)
        {
            throw new IOException($"The disk of {Path} is full. Free some space there, or set {Variable} to a folder on a larger disk.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserInputException($"{Path} cannot be {what}: {exception.Message} Set {Variable} to a folder that can be written.", exception);
        }
    }
}
