using System.Diagnostics;

namespace Espalier.Platform.Processes;

/// <summary>Starts programs that outlive their parent: own session, no terminal, output to a log file.</summary>
internal static class DetachedProcess
{
    private const long LargestLog = 20_000_000;

    // The program takes the place of setsid and of the shell, so that the process id is its own.
    private const string ToLog = """exec "$@" >>"$ESPALIER_LOG" 2>&1 </dev/null""";

    /// <summary>Starts a program.</summary>
    /// <param name="command">Program and arguments; without secrets, since every user can read them.</param>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="log">File for its output; moved aside when it has grown large.</param>
    /// <param name="folder">Its working folder.</param>
    public static Process Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string log, string folder)
    {
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(Path.GetDirectoryName(log)!);
        if (File.Exists(log) && new FileInfo(log).Length > LargestLog)
            File.Move(log, log + ".1", overwrite: true);
        var start = new ProcessStartInfo("setsid", ["sh", "-c", ToLog, "detached", .. command]) { WorkingDirectory = folder, UseShellExecute = false };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        start.Environment["ESPALIER_LOG"] = log;
        return Process.Start(start) ?? throw new InvalidOperationException($"'{command[0]}' did not start.");
    }
}
