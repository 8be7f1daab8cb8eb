using Espalier.Contracts;

namespace Espalier.Platform.Tests;

public sealed class PrivateFileTests : IDisposable
{
    private readonly TemporaryHome _home = new();

    public void Dispose() => _home.Dispose();

    [Fact]
    public void Write_OverAnOpenFile_LeavesOneThatOnlyItsOwnerReads()
    {
        var path = _home.PathOf("settings.json");
        File.WriteAllText(path, "readable by everyone");

        PrivateFile.Write(path, new WantedPlatform { Store = WantedPlatform.FileStore });

        PrivateFile.Read<WantedPlatform>(path)!.Store.ShouldBe(WantedPlatform.FileStore);
        if (!OperatingSystem.IsWindows())
            File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Directory.GetFiles(Path.GetDirectoryName(path)!).ShouldBe([path]);
    }

    [Fact]
    public void Read_MissingFile_IsNull() => PrivateFile.Read<WantedPlatform>(_home.PathOf("missing.json")).ShouldBeNull();

    [Fact]
    public void Read_DamagedFile_NamesItAndTheRemedy()
    {
        var path = _home.PathOf("state.json");
        File.WriteAllText(path, "{\"store\":");

        var error = Should.Throw<UserInputException>(() => PrivateFile.Read<WantedPlatform>(path));

        error.Message.ShouldContain(path);
        error.Message.ShouldContain("espalier down");
    }
}
