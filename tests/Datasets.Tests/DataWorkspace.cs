using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Tests;

/// <summary>A folder of its own with an artifact store and a cache, deleted afterwards.</summary>
public sealed class DataWorkspace : IDisposable
{
    public DataWorkspace()
    {
        Folder = Directory.CreateTempSubdirectory("espalier-data-");
        Artifacts = new ArtifactStore(new FileBlobStore(Path.Combine(Folder.FullName, "store")));
        Cache = Folder.CreateSubdirectory("cache");
    }

    public DirectoryInfo Folder { get; }

    public ArtifactStore Artifacts { get; }

    public DirectoryInfo Cache { get; }

    public RecordedProgress Progress { get; } = new();

    /// <summary>Real packages, in the cache folder of the user who runs the tests.</summary>
    public static PackageCache Packages { get; } = new();

    public string Write(string name, string text)
    {
        var path = Path.Combine(Folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public async Task<ManifestRef> BuildAsync(string source, long? limit = null) =>
        (await BuildAsync(new DatasetRequest { Sources = [new TextSource(source)], LimitBytes = limit })).Reference;

    public Task<DatasetBuild> BuildAsync(DatasetRequest request) =>
        new DatasetBuilder(Artifacts, Packages, Folder.CreateSubdirectory("scratch"), Progress.Report, Progress.Log)
            .BuildAsync(request, CancellationToken.None);

    public async Task<TextDataset> OpenAsync(string source, long? limit = null) =>
        await TextDataset.OpenAsync(Artifacts, await BuildAsync(source, limit), CancellationToken.None);

    public void Dispose() => Folder.Delete(recursive: true);
}

/// <summary>Keeps what was reported.</summary>
public sealed class RecordedProgress
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines => _lines;

    public List<string> Phases { get; } = [];

    public void Report(string phase, long done, long total, string unit) => Phases.Add(phase);

    public void Log(string message) => _lines.Add(message);
}

internal static class DatasetReading
{
    public static async Task<List<Document>> DocumentsAsync(this TextDataset dataset, string split)
    {
        var documents = new List<Document>();
        foreach (var domain in dataset.Domains(split))
        {
            await foreach (var document in dataset.ReadAsync(split, domain, CancellationToken.None))
                documents.Add(document);
        }
        return documents;
    }
}
