namespace Espalier.Deployment.Tests.Tools;

/// <summary>Where tools that tests install are kept, for every checkout of this user.</summary>
internal static class ToolFolder
{
    private static readonly string Root = Directory.CreateDirectory(Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "espalier", "tools")).FullName;

    /// <summary>The folder of a tool; what is not there yet is installed beside it first, so that half an installation never looks whole.</summary>
    public static string Install(string name, Action<string> install)
    {
        var folder = Path.Combine(Root, name);
        if (Directory.Exists(folder))
            return folder;
        var building = Directory.CreateDirectory($"{folder}.{Environment.ProcessId}.part").FullName;
        install(building);
        try
        {
            Directory.Move(building, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(building, recursive: true); // somebody else was faster
        }
        return folder;
    }
}
