using Espalier.TestKit.Servers;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>
/// Disks of their own for the store and for the workers' scratch files, in a namespace that the services run in: they can be filled without
/// filling the machine's, and vanish with the process that holds them.
/// </summary>
internal sealed class SmallDisks : IAsyncDisposable
{
    private const string Ballast = "ballast";
    private const string Script = """
        set -e
        for disk in store cache; do mkdir -p "$1/$disk"; mount -t tmpfs -o size=400m tmpfs "$1/$disk"; done
        echo mounted
        exec sleep infinity
        """;

    private string _folder = "";
    private ServerProcess? _holder;

    /// <summary>Makes the disks; what lets a service see them.</summary>
    public async Task<Surroundings> MountAsync(string folder)
    {
        _folder = folder;
        _holder = ServerProcess.Start("KILL", new Dictionary<string, string>(), "unshare", "--mount", "--map-root-user", "sh", "-c", Script, "sh", folder);
        var id = await _holder.Id;
        while (!_holder.Output.Contains("mounted", StringComparison.Ordinal))
        {
            if (!Directory.Exists($"/proc/{id}"))
                throw new InvalidOperationException($"The disks cannot be mounted: {_holder.Output}");
            await Task.Delay(50);
        }
        return Surroundings.Usual with { Prefix = Enter(id) };
    }

    /// <summary>Forgets what a disk holds, unless it is to stay, and writes until nothing fits any more.</summary>
    public Task FillAsync(string disk, bool isEmptied = false) => InsideAsync(
        (isEmptied ? $"rm -rf '{_folder}/{disk}'/*; " : "") + $"cat /dev/zero > '{_folder}/{disk}/{Ballast}' 2>/dev/null || true");

    /// <summary>Makes room again.</summary>
    public Task EmptyAsync(string disk) => InsideAsync($"rm -f '{_folder}/{disk}/{Ballast}'");

    public async ValueTask DisposeAsync()
    {
        if (_holder is not null)
            await _holder.DisposeAsync();
    }

    private async Task InsideAsync(string script) => await ServerProcess.RunAsync([.. Enter(await _holder!.Id), "sh", "-c", script]);

    private static string[] Enter(int id) => ["nsenter", "--target", $"{id}", "--user", "--mount", "--preserve-credentials", "--"];
}

/// <summary>A test that needs a mount namespace: skipped, with the reason, where the system gives none.</summary>
public sealed class NamespaceFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> Missing = new(() =>
    {
        try
        {
            ServerProcess.RunAsync("unshare", "--mount", "--map-root-user", "true").GetAwaiter().GetResult();
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return $"This system lets nobody mount a disk in a namespace of its own: {e.Message.Trim()}";
        }
    });

    public NamespaceFactAttribute() => Skip = Missing.Value;
}
