using System.Text.Json;
using Espalier.TestKit.Families;

namespace Espalier.Cli.Tests.Families;

/// <summary>Every stage on every family, as a user calls it: a directory in, a directory out.</summary>
public sealed class FamilyStagesTests : IDisposable
{
    private readonly CliRun _cli = new();
    private readonly string _text;

    public FamilyStagesTests() =>
        _text = _cli.Write(
            "text.txt",
            string.Join("\n\n", Enumerable.Range(0, 400).Select(i => $"Paragraph {i}: {i * 7} is seven times {i}, and {i * i} is its square.")));

    public static TheoryData<string> Mixtures => ["mixtral", "qwen2-moe-sparse-step", "qwen3-moe", "olmoe", "deepseek", "deepseek-v2-groups", "deepseek-v3"];

    public static TheoryData<string> Dense => ["llama", "mistral-window", "qwen2", "qwen3"];

    public void Dispose() => _cli.Dispose();

    [Theory]
    [MemberData(nameof(Mixtures))]
    [MemberData(nameof(Dense))]
    public async Task Train_LowersTheLossAndKeepsTheFamily(string name)
    {
        var model = Write(name);

        (await StageAsync(
            "train", model,
            $$"""{"data":"file:{{_text}}","tokens":"8k","length":32,"batch":8,"learning-rate":5e-3,"precision":"fp32","seed":1}""")).ShouldBe(0, _cli.Error);

        var history = _cli.Json.GetProperty("report").GetProperty("history").EnumerateArray().Select(h => h.GetProperty("loss").GetDouble()).ToList();
        history[^1].ShouldBeLessThan(history[0] - 0.5);
        var (before, after) = (Tensors(model), Tensors(_cli.PathOf("out")));
        after.Keys.Where(key => !key.EndsWith("e_score_correction_bias")).ShouldBe(
            before.Keys.Where(key => !key.EndsWith("e_score_correction_bias") && !key.StartsWith("model.layers.3.e")), ignoreOrder: true);
        after.Where(t => before.TryGetValue(t.Key, out var old) && !old.Bytes.AsSpan().SequenceEqual(t.Value.Bytes)).Select(t => t.Key)
            .ShouldBe(after.Keys.Where(before.ContainsKey), ignoreOrder: true); // every weight got a gradient
        (await EvaluateAsync(_cli.PathOf("out"))).ShouldBe(0, _cli.Error);
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    [MemberData(nameof(Dense))]
    public async Task Evaluate_ReportsLossAndRouting(string name)
    {
        (await EvaluateAsync(Write(name))).ShouldBe(0, _cli.Error);

        var model = _cli.Json.GetProperty("report").GetProperty("models")[0];
        model.GetProperty("validation-loss").GetProperty("tokens").GetInt64().ShouldBeGreaterThan(0);
        (model.TryGetProperty("routing", out var routing) && routing.ValueKind == JsonValueKind.Object).ShouldBe(Mixtures.Contains(name));
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public async Task Prune_NeuronsOfEveryExpert_KeepsTheFamily(string name)
    {
        var model = Write(name);

        (await StageAsync(
            "prune", model,
            $$"""{"method":"heapr","ratio":0.34,"multiple-of":4,"calibration":{"data":"file:{{_text}}","samples":16,"length":32} }""")).ShouldBe(0, _cli.Error);

        var (before, after) = (Tensors(model), Tensors(_cli.PathOf("out")));
        after.Keys.ShouldBe(before.Keys.Where(key => name != "deepseek-v3" || !key.StartsWith("model.layers.3.")), ignoreOrder: true);
        after.Sum(t => (long)t.Value.Bytes.Length).ShouldBeLessThan(before.Sum(t => (long)t.Value.Bytes.Length));
        (await EvaluateAsync(_cli.PathOf("out"))).ShouldBe(0, _cli.Error);
    }

    [Theory]
    [InlineData("mixtral")]
    [InlineData("qwen2-moe-sparse-step")]
    [InlineData("qwen3-moe")]
    [InlineData("deepseek")]
    public async Task Prune_Experts_CutsTheRoutersOfMoeLayersOnly(string name)
    {
        (await StageAsync(
            "prune", Write(name),
            $$"""{"method":"frequency","ratio":0.25,"calibration":{"data":"file:{{_text}}","samples":16,"length":32} }""")).ShouldBe(0, _cli.Error);

        (await EvaluateAsync(_cli.PathOf("out"))).ShouldBe(0, _cli.Error);
    }

    [Theory]
    [InlineData("mixtral", "model.layers.2.block_sparse_moe.experts.7.w2.weight")]
    [InlineData("qwen2-moe-sparse-step", "model.layers.1.mlp.experts.11.down_proj.weight")]
    [InlineData("qwen3-moe", "model.layers.2.mlp.experts.15.down_proj.weight")]
    [InlineData("olmoe", "model.layers.2.mlp.experts.15.down_proj.weight")]
    [InlineData("deepseek", "model.layers.2.mlp.experts.15.down_proj.weight")]
    [InlineData("deepseek-v2-lite", "model.layers.2.mlp.experts.15.down_proj.weight")]
    [InlineData("deepseek-v2-groups", "model.layers.2.mlp.experts.15.down_proj.weight", true)]
    [InlineData("deepseek-v3", "model.layers.2.mlp.experts.15.down_proj.weight", true)]
    [InlineData("deepseek-v3-plain-rope", "model.layers.2.mlp.experts.15.down_proj.weight")]
    public async Task Upcycle_ByCopies_DoublesTheExpertsOfMoeLayers(string name, string last, bool isGrouped = false)
    {
        var model = Write(name);

        (await StageAsync("upcycle", model, """{"method":"copy","multiplier":2,"seed":1}""")).ShouldBe(0, _cli.Error);

        var (before, after) = (Tensors(model), Tensors(_cli.PathOf("out")));
        after.Keys.ShouldContain(last);
        after.Count(t => t.Key.Contains(".experts.")).ShouldBe(2 * before.Count(t => t.Key.Contains(".experts.")));
        after.Keys.ShouldNotContain(key => IsPrediction(name, key), "prediction layers were made for the model before growth");
        before.Where(t => !t.Key.Contains(".gate.") && !IsPrediction(name, t.Key) && !(isGrouped && t.Key.Contains(".experts.")))
            .ShouldAllBe(t => after.ContainsKey(t.Key) && Same(after[t.Key].Bytes, t.Value.Bytes));
        (await EvaluateAsync(_cli.PathOf("out"))).ShouldBe(0, _cli.Error);
    }

    [Theory]
    [InlineData("llama", "model.layers.0.block_sparse_moe.experts.3.w1.weight")]
    [InlineData("qwen2", "model.layers.0.mlp.experts.3.gate_proj.weight")]
    [InlineData("qwen3", "model.layers.0.mlp.experts.3.gate_proj.weight")]
    public async Task Upcycle_DenseModel_BecomesItsFamilysMixture(string name, string expert)
    {
        (await StageAsync("upcycle", Write(name), """{"method":"copy","multiplier":2}""")).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("Use method sparse");

        (await StageAsync("upcycle", _cli.PathOf("model"), """{"method":"sparse","experts":4,"top-k":2,"seed":1}""")).ShouldBe(0, _cli.Error);

        Tensors(_cli.PathOf("out")).Keys.ShouldContain(expert);
        (await EvaluateAsync(_cli.PathOf("out"))).ShouldBe(0, _cli.Error);
    }

    [Fact]
    public async Task Prune_ExpertsOfGroups_IsRefusedWithWhatWould()
    {
        (await StageAsync("prune", Write("deepseek-v3"), """{"method":"random","granularity":"expert","ratio":0.5}""")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("granularity neuron");
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }

    [Theory]
    [MemberData(nameof(Dense))]
    public async Task Prune_DenseModel_IsRefusedWithWhatWould(string name)
    {
        (await StageAsync("prune", Write(name), """{"method":"random","ratio":0.5}""")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("upcycle with method sparse");
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    [MemberData(nameof(Dense))]
    public async Task Quantize_LinearModules_LoadsAgain(string name)
    {
        var model = Write(name);

        (await StageAsync(
            "quantize", model,
            $$"""{"method":"gptq","bits":8,"group-size":-1,"targets":"linear","calibration":{"data":"file:{{_text}}","samples":16,"length":32} }"""))
            .ShouldBe(0, _cli.Error);

        var (before, after) = (Tensors(model), Tensors(_cli.PathOf("out")));
        after.Keys.ShouldContain(key => key.EndsWith("o_proj.weight_packed"));
        after.Keys.ShouldContain(key => key.EndsWith(name == "mixtral" ? "experts.0.w2.weight_packed" : "down_proj.weight_packed"));
        after.Keys.Where(before.ContainsKey).ShouldContain("model.embed_tokens.weight");
        var ignored = Config().GetProperty("quantization_config").GetProperty("ignore").EnumerateArray().Select(e => e.GetString()!).ToList();
        ignored.Where(module => module != "lm_head").ShouldAllBe(module => before.ContainsKey(module + ".weight")); // by the family's own names
        (await EvaluateAsync(_cli.PathOf("out"))).ShouldBe(0, _cli.Error);
    }

    [Fact]
    public async Task Quantize_ExpertsOfADenseModel_IsRefusedWithWhatWould()
    {
        (await StageAsync("quantize", Write("llama"), """{"method":"rtn","group-size":-1,"targets":"experts","bits":8}""")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("targets linear");
    }

    [Theory]
    [InlineData("mixtral", "model.layers.0.block_sparse_moe.experts.2.w1.weight", "calls for [20, 32]")]
    [InlineData("deepseek", "model.layers.1.mlp.shared_experts.down_proj.weight", "calls for [32, 24]")]
    [InlineData("qwen2-moe", "model.layers.1.mlp.shared_expert_gate.weight", "calls for [1, 32]")]
    [InlineData("deepseek-v3", "model.layers.2.self_attn.kv_b_proj.weight", "calls for [72, 14]")]
    public async Task Import_TensorAgainstConfig_IsRefusedByItsNameOnDisk(string name, string tensor, string expected)
    {
        var model = Write(name);
        var tensors = Tensors(model);
        tensors[tensor] = ("F32", [3, 5], new byte[60]);
        tensors["model.layers.0.mlp.mystery.weight"] = ("F32", [1], new byte[4]);
        FamilyModel.WriteFile(Path.Combine(model, "model.safetensors"), tensors);

        (await _cli.CallAsync("import", model, "--name", "bad")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain($"tensor '{tensor}' has shape [3, 5]; config.json {expected}");
        _cli.Error.ShouldContain("tensor 'model.layers.0.mlp.mystery.weight' is not part of a model");
        Blobs().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("\"num_experts_per_tok\":2", "\"num_experts_per_tok\":9", "more than the 4 experts")]
    [InlineData("\"model_type\":\"mixtral\"", "\"model_type\":\"phimoe\"", "supported: deepseek, deepseek_v2, deepseek_v3, llama, mistral, mixtral")]
    [InlineData(
        "\"num_local_experts\":4", "\"num_local_experts\":5",
        "tensor 'model.layers.0.block_sparse_moe.gate.weight' has shape [4, 32]; config.json calls for [5, 32]")]
    public async Task Import_ConfigThatCannotWork_SaysWhat(string good, string bad, string expected)
    {
        var model = Write("mixtral");
        var path = Path.Combine(model, "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace(good, bad, StringComparison.Ordinal));

        (await _cli.CallAsync("import", model, "--name", "bad")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain(expected);
        Blobs().ShouldBeEmpty();
    }

    [Fact]
    public async Task ImportThenExport_StackedMixtral_IsByteEqual()
    {
        var model = FamilyModel.Create("mixtral").Write(_cli.PathOf("model"), "BF16", shards: 2, stacked: true);

        (await _cli.CallAsync("import", model, "--name", "stacked")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("export", "stacked@1", _cli.PathOf("back"))).ShouldBe(0, _cli.Error);

        var (before, after) = (Tensors(model), Tensors(_cli.PathOf("back")));
        after.Keys.ShouldBe(before.Keys, ignoreOrder: true);
        after.Where(t => !t.Value.Bytes.AsSpan().SequenceEqual(before[t.Key].Bytes)).ShouldBeEmpty();
    }

    private static bool Same(byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b);

    private string Write(string name) => FamilyModel.Create(name).Write(_cli.PathOf("model"));

    private static Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> Tensors(string folder) => FamilyModel.Read(folder);

    private static bool IsPrediction(string name, string tensor) =>
        name == "deepseek-v3" && tensor.StartsWith("model.layers.3.", StringComparison.Ordinal);

    private Task<int> StageAsync(string kind, string input, string with) =>
        _cli.CallAsync("stage", kind, "--input", input, "--output", _cli.PathOf("out"), "--with", with, "--json");

    private Task<int> EvaluateAsync(string input) => _cli.CallAsync(
        "stage", "evaluate", "--input", input, "--output", _cli.PathOf("scores"), "--with",
        $$"""{"tasks":["validation-loss","routing"],"data":"file:{{_text}}","split":"all","max-tokens":600"""
            + ""","length":32,"xz":false,"resamples":100}""",
        "--json");

    private JsonElement Config() => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(_cli.PathOf("out/config.json")));

    private IEnumerable<string> Blobs()
    {
        var folder = _cli.PathOf("home/store");
        return Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories) : [];
    }
}
