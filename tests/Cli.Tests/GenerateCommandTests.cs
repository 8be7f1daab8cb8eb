using Espalier.TestKit.Families;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests;

/// <summary><c>espalier generate</c> on models of every place.</summary>
public sealed class GenerateCommandTests : IDisposable
{
    private readonly CliRun _cli = new();
    private readonly string _model;

    public GenerateCommandTests()
    {
        _model = FamilyModel.Create("qwen3-moe").Write(_cli.PathOf("in"));
        ByteTokenizerFiles.Write(_model);
    }

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Generate_FromFolderHomeAndServer_GivesTheSameText()
    {
        await using var server = await RegistryServer.StartAsync();
        string[] remote = ["--server", server.Address.ToString(), "--key", RegistryServer.Submitter];
        (await _cli.CallAsync("import", _model, "--name", "m")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync(["import", _model, "--name", "m", .. remote])).ShouldBe(0, _cli.Error);

        var ofFolder = await TextsAsync(_model);
        var ofHome = await TextsAsync("m@1");
        var ofServer = await TextsAsync("m@1", remote);

        ofFolder.Count.ShouldBe(2);
        ofHome.ShouldBe(ofFolder);
        ofServer.ShouldBe(ofFolder);
    }

    [Fact]
    public async Task Generate_PackedModel_RunsAsItIsStored()
    {
        (await _cli.CallAsync("stage", "quantize", "--input", _model, "--output", _cli.PathOf("packed"), "--with",
            """{"method":"rtn","bits":8,"group-size":-1,"targets":"experts"}""")).ShouldBe(0, _cli.Error);

        (await TextsAsync(_cli.PathOf("packed"))).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Generate_NoTokenizer_AsksForBytesByName()
    {
        File.Delete(Path.Combine(_model, "tokenizer.json"));
        File.Delete(Path.Combine(_model, "tokenizer_config.json"));

        (await _cli.CallAsync("generate", _model, "--prompt", "a")).ShouldBe(2);
        _cli.Error.ShouldContain("--bytes");

        (await _cli.CallAsync("generate", _model, "--prompt", "a", "--bytes", "-n", "3")).ShouldBe(0, _cli.Error);
        _cli.Output.ShouldStartWith("a");
    }

    [Theory]
    [InlineData("temperature", "--temperature", "-1")]
    [InlineData("top-p", "--top-p", "1.5")]
    [InlineData("max-tokens", "--max-tokens", "0")]
    public async Task Generate_NumberOutOfRange_IsRefusedBeforeAnythingIsRead(string expected, params string[] options)
    {
        (await _cli.CallAsync(["generate", "./no/such/folder", "--prompt", "a", .. options])).ShouldBe(2);

        _cli.Error.ShouldContain(expected);
    }

    private async Task<List<string>> TextsAsync(string model, params string[] remote)
    {
        (await _cli.CallAsync(["generate", model, "-p", "One", "-p", "Another text", "-n", "6", "--json", .. remote])).ShouldBe(0, _cli.Error);
        return [.. _cli.Json.GetProperty("results").EnumerateArray().Select(r => $"{r.GetProperty("finish")}: {r.GetProperty("tokens")}")];
    }
}
