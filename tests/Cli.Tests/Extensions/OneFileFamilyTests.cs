using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Espalier.TestKit.Families;

namespace Espalier.Cli.Tests.Extensions;

/// <summary>
/// A new model family is one file, <c>nestling.json</c> beside this one: other names of tensors and keys, one known behaviour
/// switched (sigmoid scores). It is imported, run, grown, exported and imported again; nothing else knows it.
/// </summary>
public sealed class OneFileFamilyTests : IDisposable
{
    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task ImportThenExport_IsByteEqual()
    {
        var model = Write();

        (await _cli.CallAsync("import", model, "--name", "nest")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("export", "nest@1", _cli.PathOf("back"))).ShouldBe(0, _cli.Error);

        Same(_cli.PathOf("back"), model);
    }

    [Fact]
    public async Task Run_ComputesWhatAKnownFamilyWithThatBehaviourDoes()
    {
        var (own, known) = (Write(), WriteKnown());

        var expected = await LogitsAsync(known, "known");

        (await LogitsAsync(own, "own")).ShouldBe(expected);
    }

    [Fact]
    public async Task Grow_ThenImportAndExport_KeepsTheFamilysNamesAndKeys()
    {
        (await _cli.CallAsync("stage", "upcycle", "--input", Write(), "--output", _cli.PathOf("grown"), "--with",
            """{"method":"copy","multiplier":2,"seed":1}""")).ShouldBe(0, _cli.Error);

        FamilyModel.Read(_cli.PathOf("grown")).Keys.ShouldContain("transformer.h.2.moe.15.wd.weight");
        var config = JsonNode.Parse(File.ReadAllText(_cli.PathOf("grown/config.json")))!.AsObject();
        ((int)config["n_nestlings"]!, (int)config["moe_top_k"]!, (string)config["model_type"]!).ShouldBe((16, 3, "nestling"));
        config.ContainsKey("num_hidden_layers").ShouldBeFalse();
        (await _cli.CallAsync("import", _cli.PathOf("grown"), "--name", "grown")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("export", "grown@1", _cli.PathOf("back"))).ShouldBe(0, _cli.Error);
        Same(_cli.PathOf("back"), _cli.PathOf("grown"));
    }

    [Fact]
    public async Task Import_OfAWrongModel_SpeaksInTheFamilysNames()
    {
        var model = Write();
        var path = Path.Combine(model, "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"moe_top_k\":3", "\"moe_top_k\":30", StringComparison.Ordinal));

        (await _cli.CallAsync("import", model, "--name", "bad")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("'moe_top_k' is 30, more than the 8 experts");
    }

    private async Task<byte[]> LogitsAsync(string model, string output)
    {
        (await _cli.CallAsync("stage", "evaluate", "--input", model, "--output", _cli.PathOf(output), "--with",
            """{"tasks":["logits"],"tokens":[[1,5,9,200,17,3,250,81]]}"""))
            .ShouldBe(0, _cli.Error);
        return File.ReadAllBytes(Directory.EnumerateFiles(_cli.PathOf(output), "logits.safetensors", SearchOption.AllDirectories).Single());
    }

    // The same weights as a Qwen3 mixture with sigmoid scores.
    private string WriteKnown()
    {
        var folder = FamilyModel.Create("qwen3-moe").Write(_cli.PathOf("known-model"));
        var path = Path.Combine(folder, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["espalier"] = new JsonObject { ["score-function"] = "sigmoid" };
        File.WriteAllText(path, config.ToJsonString());
        return folder;
    }

    private string Write()
    {
        var model = FamilyModel.Create("qwen3-moe");
        var folder = model.Write(_cli.PathOf("model"));
        FamilyModel.WriteFile(Path.Combine(folder, "model.safetensors"), model.Tensors("F32")
            .ToDictionary(tensor => OwnName(tensor.Key), tensor => tensor.Value));
        var config = model.Config.Select(entry => KeyValuePair.Create(OwnKey(entry.Key), entry.Value?.DeepClone())).ToDictionary();
        config["model_type"] = "nestling";
        config["architectures"] = new JsonArray("NestlingForCausalLM");
        File.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject(config).ToJsonString());
        return folder;
    }

    private static string OwnKey(string key) => key switch
    {
        "num_hidden_layers" => "n_layer",
        "hidden_size" => "d_model",
        "num_experts_per_tok" => "moe_top_k",
        "num_experts" => "n_nestlings",
        _ => key,
    };

    // Written again by hand, so that the description is checked by another hand.
    private static string OwnName(string name)
    {
        name = name.Replace("model.embed_tokens.", "transformer.wte.", StringComparison.Ordinal)
            .Replace("model.norm.", "transformer.ln_f.", StringComparison.Ordinal)
            .Replace("lm_head.", "head.", StringComparison.Ordinal).Replace("model.layers.", "transformer.h.", StringComparison.Ordinal)
            .Replace(".self_attn.", ".attn.", StringComparison.Ordinal).Replace(".mlp.gate.", ".moe.router.", StringComparison.Ordinal);
        return Regex.Replace(name, @"\.mlp\.experts\.(\d+)\.(g|u|d)[a-z]+_proj\.", ".moe.$1.w$2.");
    }

    private static void Same(string actual, string expected)
    {
        var (a, b) = (FamilyModel.Read(actual), FamilyModel.Read(expected));
        a.Keys.ShouldBe(b.Keys, ignoreOrder: true);
        a.Where(tensor => !tensor.Value.Bytes.AsSpan().SequenceEqual(b[tensor.Key].Bytes)).ShouldBeEmpty();
        File.ReadAllBytes(Path.Combine(actual, "config.json")).ShouldBe(File.ReadAllBytes(Path.Combine(expected, "config.json")));
    }
}
