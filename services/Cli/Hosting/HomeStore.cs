using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;

namespace Espalier.Cli.Hosting;

/// <summary>The artifact store of a home.</summary>
internal static class HomeStore
{
    /// <summary>Opens the file store of a home.</summary>
    public static ArtifactStore OpenStore(this EspalierHome home) => new(new FileBlobStore(home.StoreFolder));
}
