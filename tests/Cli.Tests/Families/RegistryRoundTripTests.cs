using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Registry;
using Espalier.TestKit.Families;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests.Families;

/// <summary>A model of every family goes to a registry and comes back byte for byte, under its own names.</summary>
public sealed class RegistryRoundTripTests : IAsyncLifetime
{
    private readonly CliRun _cli = new();
    private RegistryServer _server = null!;
    private string[] _remote = [];

    public static TheoryData<string> Cases => [.. FamilyModel.Cases];

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _remote = ["--server", _server.Address.ToString(), "--key", RegistryServer.Submitter];
    }

    public async Task DisposeAsync()
    {
        _cli.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public void Cases_AreOfEveryFamily() =>
        FamilyModel.Cases.Select(c => FamilyModel.Create(c).Family).Distinct().ShouldBe(
            typeof(ModelConfig).Assembly.GetManifestResourceNames().Where(n => n.StartsWith("model-family/", StringComparison.Ordinal))
                .Select(n => Path.GetFileNameWithoutExtension(n)), ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Export_OfAnUploadedFamily_IsByteEqual(string name) =>
        RoundTripAsync(FamilyModel.Create(name).Write(_cli.PathOf("in"), "BF16", shards: 2));

    [Theory]
    [InlineData("mixtral")]
    [InlineData("qwen2-moe-sparse-step")]
    [InlineData("qwen3-moe")]
    [InlineData("olmoe")]
    [InlineData("deepseek-v3")]
    public Task Export_OfUploadedStackedExperts_IsByteEqual(string name) =>
        RoundTripAsync(FamilyModel.Create(name).Write(_cli.PathOf("in"), "F16", shards: 3, stacked: true));

    [Theory]
    [InlineData("mixtral")]
    [InlineData("deepseek-v2-lite")]
    public async Task Export_OfAnUploadedPackedModel_IsByteEqual(string name)
    {
        var model = FamilyModel.Create(name).Write(_cli.PathOf("plain"));
        (await _cli.CallAsync(
            "stage", "quantize", "--input", model, "--output", _cli.PathOf("in"), "--with",
            """{"method":"rtn","bits":8,"group-size":-1,"targets":"experts"}""")).ShouldBe(0, _cli.Error);

        await RoundTripAsync(_cli.PathOf("in"));
    }

    [Fact]
    public async Task Export_KeepsTheFilesBesideTheWeights_AlsoAReadmeOfItsOwn()
    {
        var source = FamilyModel.Create("mixtral").Write(_cli.PathOf("in"));
        File.WriteAllText(Path.Combine(source, "README.md"), "# Of its author\n");
        File.WriteAllText(Path.Combine(source, "generation_config.json"), """{"bos_token_id":256}""");

        await RoundTripAsync(source);

        File.ReadAllText(_cli.PathOf("out/README.md")).ShouldBe("# Of its author\n");
        File.ReadAllText(_cli.PathOf("out/generation_config.json")).ShouldBe("""{"bos_token_id":256}""");
    }

    // What a stage of the platform stores has the store's module names in config.json; the files have the family's.
    [Fact]
    public async Task Export_OfAStoredConfigWithModuleNames_HasTheNamesOfTheFamily()
    {
        var source = FamilyModel.Create("mixtral").Write(_cli.PathOf("in"));
        var config = JsonNode.Parse(File.ReadAllText(_cli.PathOf("in/config.json")))!.AsObject();
        config["quantization_config"] = new JsonObject { ["ignore"] = new JsonArray("lm_head", "model.layers.1.mlp.gate") };
        File.WriteAllText(_cli.PathOf("in/config.json"), config.ToJsonString());
        var checkpoint = await HuggingFaceImporter.ImportAsync(_server.Store, source, default);
        await _server.Get<VersionRegistrar>().RegisterAsync(
            _server.Store, new Registration { Model = "packed", Checkpoint = checkpoint, StepKey = Digest.Of("step"u8), Origin = "a stage" }, default);
        await HuggingFaceExporter.ExportAsync(_server.Store, checkpoint, _cli.PathOf("local"), null, default);

        (await _cli.CallAsync(["export", "packed@1", _cli.PathOf("out"), .. _remote])).ShouldBe(0, _cli.Error);

        File.ReadAllText(_cli.PathOf("out/config.json")).ShouldContain("model.layers.1.block_sparse_moe.gate");
        foreach (var file in Directory.EnumerateFiles(_cli.PathOf("local")))
            File.ReadAllBytes(file).ShouldBe(File.ReadAllBytes(Path.Combine(_cli.PathOf("out"), Path.GetFileName(file))), Path.GetFileName(file));
    }

    [Fact]
    public async Task Export_DamagedOnTheWay_NamesTheTensorAsTheFamilyDoes()
    {
        var source = FamilyModel.Create("mixtral").Write(_cli.PathOf("in"));
        (await _cli.CallAsync(["import", source, "--name", "m", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        var root = _cli.Json.GetProperty("root").GetString()!;
        (await _cli.CallAsync(["export", "m", _cli.PathOf("whole"), .. _remote])).ShouldBe(0, _cli.Error);
        var tensors = FamilyModel.Read(_cli.PathOf("whole"));
        tensors["model.layers.1.block_sparse_moe.experts.2.w2.weight"].Bytes[7] ^= 4;
        FamilyModel.WriteFile(_cli.PathOf("whole/model.safetensors"), tensors.OrderBy(t => t.Key, StringComparer.Ordinal).ToDictionary());
        var partial = Directory.CreateDirectory(_cli.PathOf($"out.{root[..12]}.partial")).FullName;
        File.Move(_cli.PathOf("whole/model.safetensors"), Path.Combine(partial, "model.safetensors"));

        (await _cli.CallAsync(["export", "m", _cli.PathOf("out"), .. _remote])).ShouldBe(ExitCodes.Failed);

        _cli.Error.ShouldContain("damaged on the way");
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }

    private async Task RoundTripAsync(string source)
    {
        (await _cli.CallAsync(["import", source, "--name", "model", .. _remote])).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync(["export", "model@1", _cli.PathOf("out"), .. _remote])).ShouldBe(0, _cli.Error);

        var (before, after) = (FamilyModel.Read(source), FamilyModel.Read(_cli.PathOf("out")));
        after.Keys.ShouldBe(before.Keys, ignoreOrder: true);
        foreach (var (name, (dtype, shape, bytes)) in before)
        {
            (after[name].DType, after[name].Bytes.AsSpan().SequenceEqual(bytes)).ShouldBe((dtype, true), name);
            after[name].Shape.ShouldBe(shape, name);
        }
        File.ReadAllBytes(_cli.PathOf("out/config.json")).ShouldBe(File.ReadAllBytes(Path.Combine(source, "config.json")));
    }
}
