using System.Runtime.CompilerServices;
using Espalier.FaultInjection;

namespace Espalier.Artifacts.Blobs;

/// <summary>The records of a file store: <c>records/folder/name</c>.</summary>
internal sealed class FileRecords(string root, TemporaryFiles temporaries)
{
    private readonly string _folder = Directory.CreateDirectory(Path.Combine(root, "records")).FullName;

    /// <summary>Throws when the folder cannot be read; reading one record does not tell, since a missing folder looks like a missing record.</summary>
    public void Probe() => Directory.EnumerateFileSystemEntries(_folder).Any();

    public bool Create(string name, ReadOnlySpan<byte> content)
    {
        var path = PathOf(name);
        if (File.Exists(path))
            return false;
        var temporary = temporaries.Write(content);
        Faults.Reach(FaultPoints.RecordPublish);
        return temporaries.Publish(path, () => FileSystemCalls.PublishExclusive(temporary, path));
    }

    public void Write(string name, ReadOnlySpan<byte> content)
    {
        var path = PathOf(name);
        var temporary = temporaries.Write(content);
        Faults.Reach(FaultPoints.RecordPublish);
        temporaries.Publish(path, () =>
        {
            File.Move(temporary, path, overwrite: true);
            return true;
        });
    }

    public async Task<byte[]?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        if (!File.Exists(path))
            return null; // many are asked for that are not there, and an exception costs a hundred times as much
        try
        {
            return await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public void Delete(string name)
    {
        var path = PathOf(name);
        if (File.Exists(path))
            File.Delete(path);
    }

    public async IAsyncEnumerable<string> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var folder = Path.Combine(_folder, prefix[..(prefix.LastIndexOf('/') + 1)]);
        if (!Directory.Exists(folder))
            yield break;
        var names = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(_folder, f).Replace(Path.DirectorySeparatorChar, '/'))
            .Where(n => n.StartsWith(prefix, StringComparison.Ordinal) && RecordName.IsValid(n));
        foreach (var name in names.Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return name;
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    private string PathOf(string name) => Path.Combine(_folder, RecordName.Check(name));
}
