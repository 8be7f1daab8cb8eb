using Espalier.Gguf.Files;
using Espalier.TestKit.Families;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests.Families;

/// <summary><c>espalier export --format gguf</c>: from a folder, from this machine's registry and from a server, always the same file.</summary>
public sealed class GgufExportTests : IAsyncLifetime
{
    private readonly CliRun _cli = new();
    private RegistryServer _server = null!;
    private string[] _remote = [];
    private string _model = "";

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _remote = ["--server", _server.Address.ToString(), "--key", RegistryServer.Submitter];
        _model = FamilyModel.Create("mixtral").Write(_cli.PathOf("in"), "BF16");
        ByteTokenizerFiles.Write(_model);
    }

    public async Task DisposeAsync()
    {
        _cli.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Export_FromEverywhere_GivesTheSameFile()
    {
        (await _cli.CallAsync("import", _model, "--name", "m")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync(["import", _model, "--name", "m", .. _remote])).ShouldBe(0, _cli.Error);
        string[] gguf = ["--format", "gguf", "--type", "bf16", "--json"];

        (await _cli.CallAsync(["export", _model, _cli.PathOf("of-folder"), .. gguf])).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync(["export", "m@1", _cli.PathOf("of-home"), .. gguf])).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync(["export", "m@1", _cli.PathOf("of-server"), .. gguf, .. _remote])).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("notes").GetArrayLength().ShouldBe(0);
        var files = new[] { "of-folder", "of-home", "of-server" }.Select(f => Path.Combine(_cli.PathOf(f), "model.gguf")).ToList();
        var tensors = files.Select(TensorsOf).ToList();
        tensors[1].ShouldBe(tensors[0]);
        tensors[2].ShouldBe(tensors[0]);
        using var file = GgufReader.Open(files[0]);
        file.Values["general.architecture"].ShouldBe("llama");
        file.Values["tokenizer.ggml.model"].ShouldBe("gpt2");
        Directory.EnumerateFileSystemEntries(_cli.PathOf("."), ".*").ShouldBeEmpty("what was fetched for it is gone");
    }

    [Theory]
    [InlineData("--type is for --format gguf", "--type", "q8_0")]
    [InlineData("did you mean 'q4_k'", "--format", "gguf", "--type", "q4k")]
    [InlineData("blocks of 32 do not divide", "--format", "gguf", "--type", "q4_0")]
    public async Task Export_WrongType_IsRefusedAndWritesNothing(string expected, params string[] options)
    {
        (await _cli.CallAsync(["export", _model, _cli.PathOf("out"), .. options])).ShouldBe(2);

        _cli.Error.ShouldContain(expected);
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }

    [Fact]
    public async Task Export_FolderThatIsNotThere_IsNamed()
    {
        (await _cli.CallAsync("export", "./no/such/model", _cli.PathOf("out"), "--format", "gguf")).ShouldBe(2);

        _cli.Error.ShouldContain("./no/such/model: no such directory");
    }

    private static Dictionary<string, string> TensorsOf(string path)
    {
        using var file = GgufReader.Open(path);
        return file.Tensors.Keys.ToDictionary(name => name, name => Convert.ToBase64String(file.ReadBytes(name)));
    }
}
