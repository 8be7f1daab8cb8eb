using System.Diagnostics;
using Espalier.Contracts;

namespace Espalier.Datasets.Tests;

/// <summary>What is not a regular file is refused at once, whatever reads it: planning, the stage, a folder around it.</summary>
public sealed class OwnFileTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private readonly DataWorkspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Theory]
    [InlineData("file:/dev/zero")]
    [InlineData("file:/dev/tty")]
    [InlineData("file:/dev/null")]
    public async Task Device_AsAFile_IsRefused(string source)
    {
        (await RefusalAsync(source)).ShouldContain("is not a regular file");
        (await Should.ThrowAsync<UserInputException>(() => Task.Run(() => _workspace.BuildAsync(source)).WaitAsync(Soon)))
            .Message.ShouldContain("not a regular file");
    }

    [Fact]
    public async Task Pipe_AsAFileOrInAFolder_IsRefusedOrLeftOut()
    {
        _workspace.Write("texts/a.txt", "some text\n\nand more of it");
        var pipe = Path.Combine(_workspace.Folder.FullName, "texts", "pipe");
        using (var made = Process.Start("mkfifo", pipe))
            await made.WaitForExitAsync();

        (await RefusalAsync("file:" + pipe)).ShouldContain("is not a regular file");
        (await Task.Run(() => DatasetBuilder.Fingerprint("dir:" + Path.GetDirectoryName(pipe), default)).WaitAsync(Soon)).Length.ShouldBe(64);
    }

    [Fact]
    public async Task File_ThatCannotBeRead_IsARefusal() => (await RefusalAsync("file:/proc/self/mem")).ShouldContain("cannot be read");

    [Fact]
    public void Fingerprint_Cancelled_Ends()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();

        Should.Throw<OperationCanceledException>(() => DatasetBuilder.Fingerprint("file:" + _workspace.Write("a.txt", "text"), cancelled.Token));
    }

    private static async Task<string> RefusalAsync(string source) =>
        (await Should.ThrowAsync<UserInputException>(() => Task.Run(() => DatasetBuilder.Fingerprint(source, default)).WaitAsync(Soon))).Message;
}
