using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Espalier.Contracts;

namespace Espalier.Datasets.Tests;

/// <summary>Folders and files without the right to read them, also when the tests run as root: a thread of them then asks as another user.</summary>
[SupportedOSPlatform("linux")]
public sealed class UnreadableFolderTests : IDisposable
{
    private const int Nobody = 65534;
    private readonly DataWorkspace _workspace = new();
    private readonly string _closed;

    public UnreadableFolderTests()
    {
        _workspace.Write("texts/open/a.txt", "some text");
        _closed = Path.GetDirectoryName(_workspace.Write("texts/closed/b.txt", "more of it"))!;
        File.SetUnixFileMode(_workspace.Folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        File.SetUnixFileMode(_closed, Environment.UserName == "root" ? UnixFileMode.UserRead : UnixFileMode.None);
    }

    public void Dispose()
    {
        File.SetUnixFileMode(_closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _workspace.Dispose();
    }

    [Theory]
    [InlineData("dir:", "texts/closed", "cannot be read")]
    [InlineData("dir:", "texts", "cannot be read")]
    [InlineData("file:", "texts/closed/b.txt", "a folder on the way to it may not be entered")]
    [InlineData("file:", "texts/open/b.txt", "There is no text file")]
    [InlineData("dir:", "texts/open/a.txt", "There is no folder")]
    [InlineData("dir:", "texts/open/a.txt/more", "There is no folder")]
    public void Fingerprint_NotReadable_IsARefusalThatNamesIt(string form, string path, string expected)
    {
        var full = Path.Combine(_workspace.Folder.FullName, path);

        var refusal = Should.Throw<UserInputException>(() => AsSomebodyElse(() => DatasetBuilder.Fingerprint(form + full, default)));

        refusal.Message.ShouldContain(full);
        refusal.Message.ShouldContain(expected);
    }

    /// <summary>On a thread of its own, whose file accesses are those of a user without rights if the tests run as root.</summary>
    private static void AsSomebodyElse(Action act)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            if (Environment.UserName == "root")
                _ = SetFileUser(Nobody);
            thrown = Record.Exception(act);
        });
        thread.Start();
        thread.Join();
        if (thrown is not null)
            throw thrown;
    }

    [DllImport("libc", EntryPoint = "setfsuid")]
    private static extern int SetFileUser(int user);
}
