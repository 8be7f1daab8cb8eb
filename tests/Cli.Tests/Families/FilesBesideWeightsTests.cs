using System.Text.Json.Nodes;
using Espalier.TestKit.Families;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests.Families;

/// <summary>Everything beside the weights survives a registry and every stage, byte for byte; nothing points to what is gone.</summary>
public sealed class FilesBesideWeightsTests : IDisposable
{
    private static readonly Dictionary<string, string> Files = new()
    {
        ["tokenizer.model"] = "\u0001\u0002 not read: tokenizer.json is",
        ["chat_template.jinja"] = "{{ messages }}",
        ["additional_chat_templates/rag.jinja"] = "{{ documents }}",
        ["additional_chat_templates/tool_use.jinja"] = "{{ tools }}",
        ["generation_config.json"] = """{"eos_token_id":256,"temperature":0.6}""",
        ["preprocessor_config.json"] = """{"size":224}""",
        ["processor_config.json"] = """{"image_seq_length":1}""",
        ["special_tokens_map.json"] = """{"eos_token":"<|endoftext|>"}""",
        ["configuration_own.py"] = "raise SystemExit('configuration')",
        ["modeling_own.py"] = "raise SystemExit('model')",
        ["LICENSE"] = "text",
    };

    private readonly CliRun _cli = new();
    private readonly string _text;

    public FilesBesideWeightsTests() =>
        _text = _cli.Write("text.txt", string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Paragraph {i}: {i * 7} is seven times {i}.")));

    public static TheoryData<string, string> Stages => new()
    {
        { "upcycle", """{"method":"copy","multiplier":2,"seed":1}""" },
        { "upcycle", """{"method":"depth","factor":2}""" },
        { "train", """{"data":"file:TEXT","tokens":"1k","length":32,"batch":4,"seed":1}""" },
        { "prune", """{"method":"random","granularity":"expert","ratio":0.25}""" },
        { "prune", """{"method":"heapr","ratio":0.34,"multiple-of":4,"calibration":{"data":"file:TEXT","samples":4,"length":32}}""" },
        { "quantize", """{"method":"rtn","bits":8,"group-size":-1,"targets":"experts"}""" },
    };

    public void Dispose() => _cli.Dispose();

    [Theory]
    [MemberData(nameof(Stages))]
    public async Task Stage_KeepsThemByteForByte(string kind, string with)
    {
        var model = Write();

        (await _cli.CallAsync("stage", kind, "--input", model, "--output", _cli.PathOf("out"), "--with", with.Replace("TEXT", _text, StringComparison.Ordinal)))
            .ShouldBe(0, _cli.Error);

        CheckFiles(model);
        MapOf(_cli.PathOf("out/config.json")).ShouldBe(["AutoConfig", "AutoModelForCausalLM"]);
    }

    [Fact]
    public async Task Stage_IntoAnotherFamily_LeavesOutTheCodeOfTheOldOneAndSaysSo()
    {
        var model = Write("llama");

        (await _cli.CallAsync("stage", "upcycle", "--input", model, "--output", _cli.PathOf("out"), "--json", "--with",
            """{"method":"sparse","experts":4,"top-k":2,"seed":1}""")).ShouldBe(0, _cli.Error);

        CheckFiles(model);
        JsonNode.Parse(File.ReadAllText(_cli.PathOf("out/config.json")))!["auto_map"].ShouldBeNull();
        _cli.Json.GetProperty("notes").EnumerateArray().Select(n => n.GetString()!).ShouldContain(n => n.StartsWith("auto_map of config.json is left out"));
    }

    [Fact]
    public async Task Registry_KeepsThemByteForByte()
    {
        await using var server = await RegistryServer.StartAsync();
        string[] remote = ["--server", server.Address.ToString(), "--key", RegistryServer.Submitter];
        var model = Write();

        (await _cli.CallAsync(["import", model, "--name", "model", .. remote])).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync(["export", "model@1", _cli.PathOf("out"), .. remote])).ShouldBe(0, _cli.Error);

        CheckFiles(model);
        File.ReadAllBytes(_cli.PathOf("out/config.json")).ShouldBe(File.ReadAllBytes(Path.Combine(model, "config.json")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AutoMap_OfCodeThatIsNotThere_IsLeftOutAndSaid(bool byRegistry)
    {
        await using var server = await RegistryServer.StartAsync();
        string[] remote = ["--server", server.Address.ToString(), "--key", RegistryServer.Submitter];
        var model = Write();
        File.Delete(Path.Combine(model, "modeling_own.py"));

        if (byRegistry)
        {
            (await _cli.CallAsync(["import", model, "--name", "model", .. remote])).ShouldBe(0, _cli.Error);
            _cli.Error.ShouldContain("auto_map names modeling_own.py, which is not there; the entry is left out");
            (await _cli.CallAsync(["export", "model@1", _cli.PathOf("out"), .. remote])).ShouldBe(0, _cli.Error);
        }
        else
        {
            (await _cli.CallAsync(
                "stage", "quantize", "--input", model, "--output", _cli.PathOf("out"), "--with", Stages.Last()[1].ToString()!)).ShouldBe(0, _cli.Error);
            _cli.Error.ShouldContain("the entry is left out");
        }

        MapOf(_cli.PathOf("out/config.json")).ShouldBe(["AutoConfig"]);
    }

    private string Write(string family = "mixtral")
    {
        var folder = FamilyModel.Create(family).Write(_cli.PathOf("model"));
        foreach (var (name, text) in Files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            File.WriteAllText(Path.Combine(folder, name), text);
        }
        var path = Path.Combine(folder, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["auto_map"] = new JsonObject { ["AutoConfig"] = "configuration_own.OwnConfig", ["AutoModelForCausalLM"] = "modeling_own.OwnModel" };
        File.WriteAllText(path, config.ToJsonString());
        return folder;
    }

    private void CheckFiles(string model)
    {
        foreach (var name in Files.Keys)
            File.ReadAllBytes(_cli.PathOf($"out/{name}")).ShouldBe(File.ReadAllBytes(Path.Combine(model, name)), name);
        foreach (var name in Directory.EnumerateFiles(model, "tokenizer*").Select(file => Path.GetFileName(file)))
            File.ReadAllBytes(_cli.PathOf($"out/{name}")).ShouldBe(File.ReadAllBytes(Path.Combine(model, name)), name);
    }

    private static IEnumerable<string> MapOf(string config) => JsonNode.Parse(File.ReadAllText(config))!["auto_map"]!.AsObject().Select(e => e.Key);
}
