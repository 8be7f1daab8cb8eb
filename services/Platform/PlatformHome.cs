
namespace Espalier.Platform;

/// <summary>Where the platform of a home keeps its files: <c>$ESPALIER_HOME/platform</c>.</summary>
public sealed class PlatformHome(EspalierHome home)
{
    /// <summary>Full path.</summary>
    public string Path { get; } = System.IO.Path.Combine(home.Path, "platform");

    /// <summary>What is running now, for other commands.</summary>
    public string StateFile => System.IO.Path.Combine(Path, "state.json");

    /// <summary>Ports and credentials, kept from one start to the next.</summary>
    public string SettingsFile => System.IO.Path.Combine(Path, "settings.json");

    /// <summary>What the supervisor is asked to run.</summary>
    public string WantedFile => System.IO.Path.Combine(Path, "wanted.json");

    /// <summary>Held by the supervisor.</summary>
    public string LockFile => System.IO.Path.Combine(Path, "supervisor.lock");

    /// <summary>Log files, one for each process.</summary>
    public string LogFolder => System.IO.Path.Combine(Path, "logs");

    /// <summary>Files of a server.</summary>
    public string FolderOf(string server) => System.IO.Path.Combine(Path, server);

    /// <summary>Log file of a process.</summary>
    public string LogOf(string process) => System.IO.Path.Combine(LogFolder, $"{process}.log");

    /// <summary>Creates the folder. Files with credentials are readable by their owner only.</summary>
    public PlatformHome Create()
    {
        home.Create();
        Directory.CreateDirectory(LogFolder);
        return this;
    }
}
