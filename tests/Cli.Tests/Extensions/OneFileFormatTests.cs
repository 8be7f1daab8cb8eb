using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Modeling;
using Espalier.Modeling.WeightFormats;
using Espalier.TestKit.Families;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Cli.Tests.Extensions;

/// <summary>
/// A new weight format is one file: this one holds it, a model is quantized with it, loaded, grown, imported and exported; nothing else knows
/// it.
/// </summary>
public sealed class OneFileFormatTests : IDisposable
{
    private readonly CliRun _cli = new();
    private readonly string _text;

    public OneFileFormatTests() =>
        _text = _cli.Write("text.txt", string.Join("\n\n", Enumerable.Range(0, 60).Select(i => $"Paragraph {i}: {i * 7} is seven times {i}.")));

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Quantize_IntoOwnFormat_LoadsAsTheSameCodesElsewhere()
    {
        var model = FamilyModel.Create("mixtral").Write(_cli.PathOf("model"));

        await QuantizeAsync(model, "int8-rows", "out");
        await QuantizeAsync(model, "pack-quantized", "packed");

        var tensors = FamilyModel.Read(_cli.PathOf("out"));
        tensors.Keys.ShouldContain("model.layers.1.block_sparse_moe.experts.3.w2.int8"); // by the family's own names
        tensors["model.layers.1.self_attn.o_proj.row_scale"].Shape.ShouldBe([32]);
        tensors.Keys.ShouldNotContain("model.layers.1.self_attn.o_proj.weight");
        var entry = JsonNode.Parse(File.ReadAllText(_cli.PathOf("out/config.json")))!["quantization_config"]!;
        entry["plain"]!.AsArray().Select(module => (string)module!).ShouldContain("model.layers.0.block_sparse_moe.gate");
        (await LossAsync("out")).ShouldBe(await LossAsync("packed"));
    }

    [Fact]
    public async Task Quantize_ThenGrowImportAndExport_KeepsTheFormat()
    {
        await QuantizeAsync(FamilyModel.Create("qwen3-moe").Write(_cli.PathOf("model")), "int8-rows", "out");

        (await _cli.CallAsync("stage", "upcycle", "--input", _cli.PathOf("out"), "--output", _cli.PathOf("grown"),
            "--with", """{"method":"copy","multiplier":2,"seed":1}""")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("import", _cli.PathOf("grown"), "--name", "grown")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("export", "grown@1", _cli.PathOf("back"))).ShouldBe(0, _cli.Error);

        var (before, after) = (FamilyModel.Read(_cli.PathOf("grown")), FamilyModel.Read(_cli.PathOf("back")));
        after.Keys.ShouldBe(before.Keys, ignoreOrder: true);
        after.Keys.ShouldContain("model.layers.2.mlp.experts.15.down_proj.int8");
        after.Where(tensor => !tensor.Value.Bytes.AsSpan().SequenceEqual(before[tensor.Key].Bytes)).ShouldBeEmpty();
        (await LossAsync("back")).ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData("\"bits\":4", "stored in 8 bits")]
    [InlineData("\"bits\":8,\"group-size\":8", "one scale for each row")]
    public async Task Quantize_WhatTheFormatCannotStore_IsRefusedByIt(string options, string expected)
    {
        var model = FamilyModel.Create("mixtral").Write(_cli.PathOf("model"));

        (await _cli.CallAsync("stage", "quantize", "--input", model, "--output", _cli.PathOf("out"), "--with", $$"""{"format":"int8-rows",{{options}}}"""))
            .ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain(expected);
    }

    [Fact]
    public async Task Import_WithATensorOfTheFormatMissing_NamesIt()
    {
        await QuantizeAsync(FamilyModel.Create("mixtral").Write(_cli.PathOf("model")), "int8-rows", "out");
        var tensors = FamilyModel.Read(_cli.PathOf("out"));
        tensors.Remove("model.layers.0.block_sparse_moe.experts.1.w1.row_scale");
        FamilyModel.WriteFile(_cli.PathOf("out/model.safetensors"), tensors);

        (await _cli.CallAsync("import", _cli.PathOf("out"), "--name", "bad")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("tensor 'model.layers.0.block_sparse_moe.experts.1.w1.row_scale' is missing");
    }

    private async Task QuantizeAsync(string model, string format, string output) => (await _cli.CallAsync(
        "stage", "quantize", "--input", model, "--output", _cli.PathOf(output), "--with",
        $$"""{"method":"rtn","format":"{{format}}","bits":8,"group-size":-1}""")).ShouldBe(0, _cli.Error);

    private async Task<double> LossAsync(string model)
    {
        (await _cli.CallAsync(
            "stage", "evaluate", "--input", _cli.PathOf(model), "--output", _cli.PathOf($"{model}-scores"), "--with",
            $$"""{"tasks":["validation-loss"],"data":"file:{{_text}}","split":"all","max-tokens":400,"length":32,"xz":false,"resamples":100}""", "--json"))
                .ShouldBe(0, _cli.Error);
        return _cli.Json.GetProperty("report").GetProperty("models")[0].GetProperty("validation-loss").GetProperty("loss").GetProperty("value").GetDouble();
    }
}

/// <summary>Codes of 8 bits as they are and one scale for each row: <c>x.int8</c> and <c>x.row_scale</c>.</summary>
public sealed class Int8Rows : IWeightFormat
{
    public string Name => "int8-rows";

    public string Summary => "Codes of 8 bits, one byte each, with one scale for each row.";

    public IReadOnlyList<int> Bits => [8];

    public bool IsPublished => false;

    public string? Refuse(WeightQuantization quantization) =>
        quantization is { GroupSize: < 0, Symmetric: true } ? null : "it has one scale for each row and no zero points. Use group-size -1 and symmetric true.";

    public bool Describes(JsonObject entry) => (string?)entry["quant_method"] == Name;

    public WeightQuantization? Read(ConfigKeys entry) => new(8, -1, Symmetric: true);

    public JsonObject Write(WeightQuantization quantization) => new()
    {
        ["quant_method"] = Name,
        ["plain"] = new JsonArray([.. (quantization.KeptModules ?? []).Select(module => JsonValue.Create(module))]),
    };

    public IReadOnlyList<PackedTensor> Layout(string weight, long rows, long columns, WeightQuantization quantization) =>
        [new(Part(weight, "int8"), [rows, columns], ScalarType.Int8), new(Part(weight, "row_scale"), [rows], null)];

    public IReadOnlyList<Tensor> Pack(CodedMatrix codes, WeightQuantization quantization, ScalarType storedType) =>
        [codes.Codes.to(int8), codes.Scales.view(-1).to(storedType)];

    public Tensor Unpack(string weight, Func<string, Tensor> read, WeightQuantization quantization)
    {
        var scale = read(Part(weight, "row_scale"));
        return read(Part(weight, "int8")).to(scale.dtype) * scale.unsqueeze(1);
    }

    private static string Part(string weight, string name) => weight[..^"weight".Length] + name;
}
