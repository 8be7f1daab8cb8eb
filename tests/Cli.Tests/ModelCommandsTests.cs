namespace Espalier.Cli.Tests;

/// <summary>import, models, export.</summary>
public sealed class ModelCommandsTests : IDisposable
{
    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Import_ThenExport_GivesTheSameTensors()
    {
        var source = TinyModel.Write(_cli.PathOf("in"));

        (await _cli.CallAsync("import", source, "--name", "tiny", "--alias", "base", "--json")).ShouldBe(0, _cli.Error);
        var root = _cli.Json.GetProperty("root").GetString();
        (await _cli.CallAsync("import", source, "--name", "tiny", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("version").GetInt32().ShouldBe(1);
        _cli.Json.GetProperty("is-new").GetBoolean().ShouldBeFalse();
        (await _cli.CallAsync("export", "tiny@base", _cli.PathOf("out"))).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("import", _cli.PathOf("out"), "--name", "again", "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("root").GetString().ShouldBe(root);
        (await _cli.CallAsync("models", "--json")).ShouldBe(0);
        _cli.Json.GetProperty("models").EnumerateArray().Select(m => m.GetProperty("model").GetString()).ShouldBe(["again", "tiny"], ignoreOrder: true);
    }

    [Fact]
    public async Task Export_ExistingFolder_IsLeftAlone()
    {
        var source = TinyModel.Write(_cli.PathOf("in"));
        (await _cli.CallAsync("import", source, "--name", "tiny")).ShouldBe(0, _cli.Error);
        Directory.CreateDirectory(_cli.PathOf("out"));
        _cli.Write("out/mine.txt", "keep me");

        (await _cli.CallAsync("export", "tiny", _cli.PathOf("out"))).ShouldBe(ExitCodes.BadInput);

        Directory.EnumerateFileSystemEntries(_cli.PathOf("out")).ShouldBe([_cli.PathOf("out/mine.txt")]);
    }

    [Fact]
    public async Task Import_TruncatedFile_IsRefusedAndNothingRegistered()
    {
        var source = TinyModel.Write(_cli.PathOf("in"));
        using (var file = File.OpenWrite(Path.Combine(source, "model.safetensors")))
            file.SetLength(file.Length - 10);

        (await _cli.CallAsync("import", source, "--name", "tiny")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("model.safetensors");
        (await _cli.CallAsync("models", "--json")).ShouldBe(0);
        _cli.Json.GetProperty("models").GetArrayLength().ShouldBe(0);
    }
}
