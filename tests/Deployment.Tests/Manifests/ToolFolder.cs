namespace Espalier.Deployment.Tests.Manifests;

/// <summary>Where tools that tests install are kept, for every checkout of this user.</summary>
internal static class ToolFolder
{
    /// <summary>The folder; it exists.</summary>
    public static string Path { get; } = Directory.CreateDirectory(System.IO.Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "espalier", "tools")).FullName;
}
