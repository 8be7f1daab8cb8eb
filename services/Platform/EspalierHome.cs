using Espalier.Contracts;

namespace Espalier.Platform;

/// <summary>The folder that holds everything of this machine: <c>$ESPALIER_HOME</c>, else <c>.espalier</c> of the current folder.</summary>
public sealed class EspalierHome(string path)
{
    private const string Variable = "ESPALIER_HOME";

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

    /// <summary>Creates the folder.</summary>
    /// <exception cref="UserInputException">It cannot be created.</exception>
    public EspalierHome Create()
    {
        try
        {
            Directory.CreateDirectory(Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserInputException($"{Path} cannot be made: {exception.Message}. Set {Variable} to a folder that can be written.", exception);
        }
        return this;
    }

    /// <summary>Keeps other processes from running work here until it is disposed: two orchestrators must not share a ledger.</summary>
    /// <exception cref="UserInputException">Another process is at work here.</exception>
    public IDisposable Claim()
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(Path, "in-use"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new UserInputException($"Another espalier process works in {Path}: wait for it, or set {Variable} to another folder.", exception);
        }
    }
}
