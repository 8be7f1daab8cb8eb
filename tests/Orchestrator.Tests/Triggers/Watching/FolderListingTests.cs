using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Espalier.Orchestrator.Triggers.Watching;

namespace Espalier.Orchestrator.Tests.Triggers.Watching;

/// <summary>Folders that the orchestrator's user may not read. Tests may run as root, who may read all: the thread that looks is another user's.</summary>
[SupportedOSPlatform("linux")]
public sealed partial class FolderListingTests : IDisposable
{
    private const uint Nobody = 65534;
    private const UnixFileMode Closed = UnixFileMode.UserWrite;
    private const UnixFileMode Open = UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("listed-");

    public FolderListingTests()
    {
        _folder.UnixFileMode = Open;
        File.WriteAllText(Path.Combine(_folder.FullName, "a.txt"), "a");
        var below = _folder.CreateSubdirectory("below");
        File.WriteAllText(Path.Combine(below.FullName, "b.txt"), "b");
        below.UnixFileMode = Closed;
    }

    public void Dispose()
    {
        _folder.UnixFileMode = Open;
        new DirectoryInfo(Path.Combine(_folder.FullName, "below")).UnixFileMode = Open;
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void List_FolderBelowThatMayNotBeRead_NamesItAndListsTheOthers()
    {
        var listing = AsNobody(() => FolderListing.List(_folder.FullName, "*"));

        listing.Files.ShouldHaveSingleItem().Name.ShouldBe("a.txt");
        listing.Trouble.ShouldBe($"{_folder.FullName}/below cannot be read by the orchestrator, and what is in there is not seen.");
    }

    [Fact]
    public void List_FolderThatMayNotBeRead_IsRefusedWithTheRemedy()
    {
        _folder.UnixFileMode = Closed;

        Should.Throw<WatchException>(() => AsNobody(() => FolderListing.List(_folder.FullName, "*"))).Message.ShouldBe(
            $"The folder {_folder.FullName} cannot be read: the orchestrator may not. Let its user read it.");
    }

    [Fact]
    public void List_FileInPlaceOfAFolder_IsRefused() =>
        Should.Throw<WatchException>(() => FolderListing.List(Path.Combine(_folder.FullName, "a.txt"), "*")).Message.ShouldContain("cannot be read");

    /// <summary>Runs on a thread of its own whose file accesses are those of a user without rights; the process stays who it is.</summary>
    private static T AsNobody<T>(Func<T> look)
    {
        T result = default!;
        Exception? error = null;
        var thread = new Thread(() =>
        {
            try
            {
                if (Environment.IsPrivilegedProcess)
                {
                    SetFileSystemUser(Nobody);
                    SetFileSystemUser(uint.MaxValue).ShouldBe((int)Nobody, "the call answers with the user before");
                }
                result = look();
            }
            catch (Exception e)
            {
                error = e;
            }
        });
        thread.Start();
        thread.Join();
        return error is null ? result : throw error;
    }

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial int SetFileSystemUser(uint user);
}
