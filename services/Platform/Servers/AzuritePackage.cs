using Espalier.Platform.Processes;

namespace Espalier.Platform.Servers;

/// <summary>Azurite's program files, installed by npm once per user and shared by every home.</summary>
public static class AzuritePackage
{
    private const string Main = "node_modules/azurite/dist/src/blob/main.js";
    private static readonly string[] Files = ["package.json", "package-lock.json"];

    /// <summary>Where Azurite is installed.</summary>
    public static string Folder => Path.Combine(CacheFolder(), "espalier", "tools", "azurite-3.35.0");

    /// <summary>Installs Azurite unless it is installed. Safe for several processes at once.</summary>
    public static async Task InstallAsync(Action<string> say, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(Folder, Main)))
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(Folder)!);
        var gate = await LockAsync(Folder + ".lock", cancellationToken).ConfigureAwait(false);
        await using (gate.ConfigureAwait(false))
        {
            if (File.Exists(Path.Combine(Folder, Main)))
                return;
            say("installing Azurite from npm (half a minute, once)");
            // Built in a folder beside it, so that an interrupted installation never looks finished.
            var building = $"{Folder}.{Environment.ProcessId}.part";
            Directory.CreateDirectory(building);
            foreach (var file in Files)
            {
                using var from = typeof(AzuritePackage).Assembly.GetManifestResourceStream($"azurite/{file}")
                    ?? throw new InvalidOperationException($"azurite/{file} is not in this program.");
                using var to = File.Create(Path.Combine(building, file));
                await from.CopyToAsync(to, cancellationToken).ConfigureAwait(false);
            }
            await ToolRun.RunAsync(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], building, null, cancellationToken).ConfigureAwait(false);
            if (Directory.Exists(Folder))
                Directory.Delete(Folder, recursive: true);
            Directory.Move(building, Folder);
        }
    }

    private static async Task<FileStream> LockAsync(string path, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(200, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static string CacheFolder() =>
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg
            ? xdg
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
}
