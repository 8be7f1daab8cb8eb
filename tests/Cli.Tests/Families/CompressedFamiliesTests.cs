using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Espalier.TestKit.Families;

namespace Espalier.Cli.Tests.Families;

/// <summary>What readers of a family need of pruned and packed directories: lists and widths that its own configuration can say.</summary>
public sealed class CompressedFamiliesTests : IDisposable
{
    private const string Grow = """{"method":"copy","multiplier":2,"seed":1}""";
    private const string Depth = """{"method":"depth","factor":2}""";
    private const string Fewer = """{"method":"random","granularity":"expert","ratio":0.5,"seed":1}""";

    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Theory]
    [InlineData("mixtral", "linear", "upcycle", Grow)]
    [InlineData("mixtral", "experts", "upcycle", Depth)]
    [InlineData("olmoe", "experts", "prune", Fewer)]
    [InlineData("qwen2-moe-sparse-step", "linear", "prune", Fewer)]
    [InlineData("qwen2-moe-sparse-step", "experts", "upcycle", Depth)]
    [InlineData("deepseek", "linear", "upcycle", Depth)]
    [InlineData("deepseek-v3-plain-rope", "linear", "upcycle", Grow)]
    [InlineData("qwen3", "linear", "upcycle", Depth)]
    public async Task Packed_AfterAnyStage_ListsEveryPlainMatrix(string name, string targets, string stage, string with)
    {
        await QuantizeAsync(Write(name), targets, "packed");
        MissingFromIgnore("packed").ShouldBeEmpty();

        (await StageAsync(stage, _cli.PathOf("packed"), "after", with)).ShouldBe(0, _cli.Error);

        MissingFromIgnore("after").ShouldBeEmpty();
        FamilyModel.Read(_cli.PathOf("after")).Count.ShouldNotBe(FamilyModel.Read(_cli.PathOf("packed")).Count);
    }

    [Fact]
    public async Task Packed_ListOfAnotherWriter_KeepsItsPatternsAndGetsWhatIsMissing()
    {
        await QuantizeAsync(Write("mixtral"), "experts", "packed");
        Edit("packed", config => config["quantization_config"]!["ignore"] = new JsonArray("lm_head", "re:.*self_attn.*", "re:.*experts\\.3\\.w1"));

        (await StageAsync("upcycle", _cli.PathOf("packed"), "after", Depth)).ShouldBe(0, _cli.Error);

        MissingFromIgnore("after").ShouldBeEmpty();
        Ignored("after").ShouldBe(
            ["lm_head", "re:.*self_attn.*", .. Enumerable.Range(0, 6).Select(layer => $"model.layers.{layer}.block_sparse_moe.gate")]);
    }

    [Fact]
    public async Task Quantize_PredictionLayers_KeepTheirWeightsAndAreListed()
    {
        var model = Write("deepseek-v3");

        await QuantizeAsync(model, "linear", "packed");

        MissingFromIgnore("packed").ShouldBeEmpty();
        var (before, after) = (FamilyModel.Read(model), FamilyModel.Read(_cli.PathOf("packed")));
        before.Keys.Where(IsPrediction).ShouldNotBeEmpty();
        before.Where(t => IsPrediction(t.Key) && !t.Value.Bytes.AsSpan().SequenceEqual(after[t.Key].Bytes)).ShouldBeEmpty();
        Notes().ShouldContain(note => note.Contains("prediction layer") && note.Contains("keep their weights"));
    }

    [Theory]
    [InlineData("""{"method":"random","granularity":"neuron","ratio":0.34,"multiple-of":4,"seed":1}""", 8)]
    [InlineData("""{"method":"random","granularity":"neuron","scope":"uniform","ratio":0.5,"multiple-of":2,"seed":1}""", 6)]
    public async Task Prune_PredictionLayers_AreLeftOutAndThatIsSaid(string with, int width)
    {
        var model = Write("deepseek-v3");

        (await StageAsync("prune", model, "out", with)).ShouldBe(0, _cli.Error);

        FamilyModel.Read(_cli.PathOf("out")).Keys.ShouldBe(FamilyModel.Read(model).Keys.Where(key => !IsPrediction(key)), ignoreOrder: true);
        ((int)Config("out")["num_nextn_predict_layers"]!).ShouldBe(0);
        ((int)Config("out")["moe_intermediate_size"]!).ShouldBe(width);
        Notes().ShouldContain(note => note.Contains("prediction layer") && note.Contains("left out"));
    }

    [Fact]
    public async Task Prune_Nothing_KeepsThePredictionLayers()
    {
        var model = Write("deepseek-v3");

        (await StageAsync("prune", model, "out", """{"method":"random","granularity":"neuron","ratio":0}""")).ShouldBe(0, _cli.Error);

        FamilyModel.Read(_cli.PathOf("out")).Keys.ShouldBe(FamilyModel.Read(model).Keys, ignoreOrder: true);
        Notes().ShouldBeEmpty();
    }

    [Theory]
    [InlineData(5, 5, 25)]
    [InlineData(7, 7, 28)]
    [InlineData(8, 8, 24)]
    public async Task Prune_SharedExpertsOfOddWidth_AreFilledUpToAWholeNumber(int multipleOf, int width, int shared)
    {
        var model = Write("deepseek");

        (await StageAsync("prune", model, "out", $$"""{"method":"random","granularity":"neuron","ratio":0.45,"multiple-of":{{multipleOf}},"seed":1}"""))
            .ShouldBe(0, _cli.Error);

        var config = Config("out");
        ((int)config["moe_intermediate_size"]!).ShouldBe(width);
        ((int)config["n_shared_experts"]!).ShouldBe(shared / width);
        (config["espalier"]?["shared-size"]).ShouldBeNull("stock readers do not look there");
        var (before, after) = (FamilyModel.Read(model), FamilyModel.Read(_cli.PathOf("out")));
        const string Up = "model.layers.1.mlp.shared_experts.up_proj.weight", Down = "model.layers.2.mlp.shared_experts.down_proj.weight";
        after[Up].Shape.ShouldBe([shared, 32]);
        after[Up].Bytes.ShouldBe([.. before[Up].Bytes, .. new byte[(shared - 24) * 32 * sizeof(float)]]);
        after[Down].Shape.ShouldBe([32, shared]);
        after[Down].Bytes.Chunk(shared * sizeof(float)).SelectMany(row => row.Take(24 * sizeof(float))).ShouldBe(before[Down].Bytes);
        Notes().Any(note => note.Contains("shared expert")).ShouldBe(shared != 24);
    }

    private static bool IsPrediction(string tensor) => tensor.StartsWith("model.layers.3.", StringComparison.Ordinal);

    private string Write(string name) => FamilyModel.Create(name).Write(_cli.PathOf("model"));

    private async Task QuantizeAsync(string model, string targets, string output) => (await StageAsync(
        "quantize", model, output, $$"""{"method":"rtn","bits":8,"group-size":-1,"targets":"{{targets}}"}""")).ShouldBe(0, _cli.Error);

    private Task<int> StageAsync(string kind, string input, string output, string with) =>
        _cli.CallAsync("stage", kind, "--input", input, "--output", _cli.PathOf(output), "--with", with, "--json");

    private JsonObject Config(string folder) => JsonNode.Parse(File.ReadAllText(_cli.PathOf($"{folder}/config.json")))!.AsObject();

    private void Edit(string folder, Action<JsonObject> edit)
    {
        var config = Config(folder);
        edit(config);
        File.WriteAllText(_cli.PathOf($"{folder}/config.json"), config.ToJsonString());
    }

    private List<string> Ignored(string folder) => [.. Config(folder)["quantization_config"]!["ignore"]!.AsArray().Select(entry => (string)entry!)];

    private List<string> Notes() => [.. _cli.Json.GetProperty("report").GetProperty("notes").Deserialize<List<string>>()!];

    // Modules that a reader of compressed-tensors would treat wrongly: plain ones that are not listed, and packed ones that are.
    private List<string> MissingFromIgnore(string folder)
    {
        var (tensors, ignored) = (FamilyModel.Read(_cli.PathOf(folder)), Ignored(folder));
        return
        [
            .. tensors.Where(t => t.Value.Shape.Length == 2 && t.Key.EndsWith(".weight") && !t.Key.EndsWith("embed_tokens.weight"))
                .Select(t => t.Key[..^".weight".Length]).Where(module => !IsListed(module)),
            .. tensors.Keys.Where(t => t.EndsWith(".weight_packed")).Select(t => t[..^".weight_packed".Length]).Where(IsListed)
                .Select(module => $"packed {module}"),
        ];

        bool IsListed(string module) => ignored.Exists(entry =>
            entry.StartsWith("re:", StringComparison.Ordinal) ? Regex.IsMatch(module, "^" + entry[3..]) : entry == module);
    }
}
