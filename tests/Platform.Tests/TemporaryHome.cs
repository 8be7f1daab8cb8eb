namespace Espalier.Platform.Tests;

/// <summary>A home in a temporary folder.</summary>
internal sealed class TemporaryHome : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-home-");

    public EspalierHome Home => new(_folder.FullName);

    public PlatformHome Platform => new PlatformHome(Home).Create();

    public string PathOf(string file) => Path.Combine(_folder.FullName, file);

    public void Dispose() => _folder.Delete(recursive: true);
}
