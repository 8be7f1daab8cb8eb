using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Hosting;

/// <summary>The artifact store of a home.</summary>
internal static class HomeStore
{
    /// <summary>Opens the file store of a home.</summary>
    public static ArtifactStore OpenStore(this EspalierHome home) => new(new FileBlobStore(home.StoreFolder));

    /// <summary>Says before a run begins that steps could not store what they make, and not only after their work.</summary>
    public static void WarnOfShortage(this EspalierHome home, Terminal terminal)
    {
        if (new FileBlobStore(home.StoreFolder).FindShortage() is { } shortage)
            terminal.Say($"Warning: {shortage}");
    }
}
