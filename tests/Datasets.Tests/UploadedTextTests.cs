using System.Text;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;

namespace Espalier.Datasets.Tests;

/// <summary>Text that was uploaded gives what the same text in a folder gives.</summary>
public sealed class UploadedTextTests : IDisposable
{
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task BuildAsync_UploadedFolder_GivesTheArtifactAndTheFingerprintOfTheFolder()
    {
        var files = new List<UploadedFile>();
        for (var i = 10; i < 40; i++)
        {
            var bytes = Encoding.UTF8.GetBytes($"Text {i}, of which there are {i * i} others.");
            _workspace.Write($"domain/{i}.txt", Encoding.UTF8.GetString(bytes));
            var blob = await _workspace.Artifacts.Blobs.PutAsync(bytes, default);
            files.Add(new UploadedFile($"{i}.txt", blob.Digest, blob.SizeBytes, [blob.Digest]));
        }
        var here = $"dir:{Path.Combine(_workspace.Folder.FullName, "domain")}";
        var uploads = new UploadStore(_workspace.Artifacts.Blobs, TimeProvider.System);
        var fingerprint = await uploads.PublishAsync(new UploadListing { IsFolder = true, Files = files }, default);
        var there = $"dir:{new UploadReference(fingerprint, "domain")}";

        DatasetBuilder.Fingerprint(there, default).ShouldBe(DatasetBuilder.Fingerprint(here, default));
        (await _workspace.BuildAsync(there)).ShouldBe(await _workspace.BuildAsync(here));
        new DirectoryInfo(Path.Combine(_workspace.Folder.FullName, "scratch")).GetDirectories().ShouldBeEmpty("what was fetched is deleted");
    }
}
