using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Cli.SingleStage;

/// <summary>
/// Where one command keeps what it has done: a store of its own under the home, named by what was typed and by how the
/// inputs look. After a kill the same command finds it and resumes from the saved position. While another process works
/// there, a folder is used that is gone afterwards. Folders that nobody came back to are deleted after a week.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    private const string LockFile = "in-use";
    private static readonly TimeSpan Kept = TimeSpan.FromDays(7);
    private readonly string _path;
    private readonly FileStream? _lock;

    private WorkFolder(string path, FileStream? claim)
    {
        (_path, _lock) = (path, claim);
        Directory.SetLastWriteTimeUtc(Directory.CreateDirectory(path).FullName, TimeProvider.System.GetUtcNow().UtcDateTime);
        Store = new FileBlobStore(path, new FileBlobStoreOptions { IsDurable = false, KeepsDamaged = false });
    }

    /// <summary>The store.</summary>
    public FileBlobStore Store { get; }

    /// <summary>Unlike that of any other process at work.</summary>
    public string Name => Path.GetFileName(_path);

    /// <summary>Opens the folder of a request.</summary>
    public static WorkFolder Open(EspalierHome home, StageRequest request, string stageVersion)
    {
        var all = Directory.CreateDirectory(Path.Combine(home.Path, "work")).FullName;
        Sweep(all);
        var path = Path.Combine(all, NameOf(request, stageVersion));
        return Claim(path) is { } claim ? new WorkFolder(path, claim) : new WorkFolder($"{path}.{Guid.NewGuid():n}", null);
    }

    /// <summary>
    /// Drops what may be damaged. Nothing is flushed here while the work is running, so after a power failure, unlike after
    /// a kill, a blob may lack its last pages; what is read back is believed only if it has its digest.
    /// </summary>
    public async Task VerifyAsync(CancellationToken cancellationToken)
    {
        await foreach (var blob in Store.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await Store.VerifyAsync(blob.Digest, null, cancellationToken).ConfigureAwait(false);
            }
            catch (DamagedBlobException)
            {
                // It is gone now, and what needs it is done again.
            }
        }
    }

    /// <summary>Whether a position is saved from which the same command can resume.</summary>
    public async Task<bool> HasPositionAsync(Digest stepKey) =>
        _lock is not null
        && (await new BlobCursor(Store, stepKey).LoadAsync(CancellationToken.None).ConfigureAwait(false) is not null
            || await new ArtifactStore(Store).FindStepAsync(stepKey, CancellationToken.None).ConfigureAwait(false) is not null);

    /// <summary>Deletes everything.</summary>
    public void Delete()
    {
        if (Directory.Exists(_path))
            Directory.Delete(_path, recursive: true);
    }

    public void Dispose()
    {
        _lock?.Dispose();
        if (_lock is null)
            Delete();
    }

    /// <summary>What was typed and how the inputs look; the step key within, not this name, decides what may be used again.</summary>
    private static string NameOf(StageRequest request, string stageVersion)
    {
        var inputs = request.Inputs.Select(folder => new
        {
            Folder = Path.GetFullPath(folder),
            Files = new DirectoryInfo(folder)
                .EnumerateFiles()
                .OrderBy(f => f.Name, StringComparer.Ordinal)
                .Select(f => $"{f.Name} {f.Length} {f.LastWriteTimeUtc.Ticks}"),
        });
        var options = JsonSerializer.SerializeToElement(request.Options.ToElement());
        return $"{request.Stage.Kind}-{CanonicalJson.DigestOf(new { inputs, options, request.BaseDirectory, stageVersion }).Hex[..16]}";
    }

    private static FileStream? Claim(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
            return new FileStream(Path.Combine(path, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static void Sweep(string all)
    {
        var oldest = TimeProvider.System.GetUtcNow().UtcDateTime - Kept;
        foreach (var folder in new DirectoryInfo(all).GetDirectories().Where(f => f.LastWriteTimeUtc < oldest))
        {
            using var claim = Claim(folder.FullName);
            if (claim is not null)
                folder.Delete(recursive: true);
        }
    }
}
