using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Methods;
using Espalier.Quantizer.Mixing;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Modeling.Runtime;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests;

public sealed class QuantizeStageTests : IDisposable
{
    private const string Gptq4 = """
        {"method":"gptq","bits":4,"group-size":8,"symmetric":true,"calibration":{"data":"file:x","samples":12,"length":32,"batch":4},"seed":1}
        """;

    private static readonly ModelConfig Tiny = ModelConfig.Tiny();
    private readonly StageBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("F32", "float32", 4, 8, true)]
    [InlineData("BF16", "bfloat16", 4, 8, false)]
    [InlineData("BF16", "bfloat16", 8, -1, true)]
    [InlineData("F16", "float16", 8, 4, false)]
    public async Task Run_Rtn_StoresPackedTensorsOfTheComputedSize(string dtype, string weightType, int bits, int groupSize, bool symmetric)
    {
        var model = await _bench.ModelAsync(Tiny with { WeightType = weightType });

        var result = await RunAsync($$"""{"method":"rtn","bits":{{bits}},"group-size":{{groupSize}},"symmetric":{{(symmetric ? "true" : "false")}}}""", model);

        var stored = await _bench.OpenAsync(result.Outputs["model"]);
        var name = TensorNames.Expert(1, 2, "down");
        stored.Names.ShouldNotContain(name);
        stored.Describe(name + "_packed").Shape.ShouldBe([32, 24 * bits / 32]);
        stored.Describe(name + "_scale").Shape.ShouldBe([32, groupSize < 0 ? 1 : 24 / groupSize]);
        stored.Describe(name + "_scale").DType.ShouldBe(dtype);
        var zeroPointBits = symmetric ? 0 : bits;
        var scaleBits = dtype == "F32" ? 32 : 16;
        var matrices = (long Inputs, long Outputs)[] (long inputs, long outputs, int count) => [.. Enumerable.Repeat((inputs, outputs), count)];
        (long Inputs, long Outputs)[] all = [.. matrices(32, 32, 2 * 4), .. matrices(32, 24, 2 * 4 * 2), .. matrices(24, 32, 2 * 4)];
        var expected = all.Sum(m => m.Outputs * m.Inputs * bits / 8
            + m.Outputs * (groupSize < 0 ? 1 : m.Inputs / groupSize) * (scaleBits + zeroPointBits) / 8 + 16);
        stored.Manifest.Tensors.Where(t => t.Name.Contains("weight_", StringComparison.Ordinal)).Sum(t => t.SizeBytes).ShouldBe(expected);
        result.Metrics["bits-per-weight"].ShouldBe(8.0 * expected / all.Sum(m => m.Inputs * m.Outputs), 1e-12);
        result.Metrics["bytes"].ShouldBeLessThan(result.Metrics["bytes-before"]);
    }

    [Fact]
    public async Task Run_Rtn_KeepsRouterNormsEmbeddingAndHead()
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync("""{"method":"rtn","bits":8,"group-size":8}""", model);

        var (before, after) = (await _bench.OpenAsync(model), await _bench.OpenAsync(result.Outputs["model"]));
        foreach (var name in (string[])[TensorNames.Router(0), TensorNames.Embedding, TensorNames.Head,
            TensorNames.FinalNorm, TensorNames.Layer(1) + "self_attn.q_norm.weight"])
            after.ReadAll(name).ShouldBe(before.ReadAll(name), name);
        after.Manifest.Experts.ShouldBe(
            from layer in Enumerable.Range(0, 2) from e in Enumerable.Range(0, 4) select new Artifacts.Manifests.ExpertOrigin(layer, e, model.Root, layer, e));
        after.Manifest.Parents.Single(p => p.Relation == "quantized").Manifest.ShouldBe(model.Root);
    }

    [Fact]
    public async Task Run_ExpertsOnly_LeavesAttentionAndListsItAsIgnored()
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync("""{"method":"rtn","bits":4,"group-size":8,"targets":"experts"}""", model);

        var stored = await _bench.OpenAsync(result.Outputs["model"]);
        stored.Names.ShouldContain("model.layers.0.self_attn.q_proj.weight");
        using var config = JsonDocument.Parse(stored.ReadFile("config.json"));
        config.RootElement.GetProperty("quantization_config").GetProperty("ignore").EnumerateArray().Select(e => e.GetString())
            .ShouldContain("model.layers.0.self_attn.q_proj");
        using var decoder = MoeDecoder.Load(ModelConfig.Parse(stored.ReadFile("config.json")), new StoredWeights(stored));
    }

    [Theory]
    [InlineData("""{"method":"rtn","bits":4,"group-size":8,"symmetric":false}""")]
    [InlineData(Gptq4)]
    public async Task Run_PackedModel_ComputesExactlyWhatItsExpandedWeightsDo(string options)
    {
        var model = await _bench.ModelAsync(Tiny with { WeightType = "bfloat16" });

        var result = await RunAsync(options, model);

        var stored = await _bench.OpenAsync(result.Outputs["model"]);
        var config = ModelConfig.Parse(stored.ReadFile("config.json"));
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var packed = MoeDecoder.Load(config, new StoredWeights(stored));
        using var plain = MoeDecoder.Load(config with { Quantization = null }, new ExpandedByHand(stored, config));
        var tokens = randint(0, 258, [2, 16], dtype: int64, generator: new Generator(1));
        packed.Forward(tokens).Logits.bytes.SequenceEqual(plain.Forward(tokens).Logits.bytes).ShouldBeTrue();
    }

    [Fact]
    public async Task Run_Gptq_BeatsRoundingOnItsObjectiveInSum()
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync(Gptq4, model);

        var records = await RecordsAsync(result);
        records.Count.ShouldBe(2 * (4 + 4 * 3));
        records.Sum(r => r.Objective ?? 0).ShouldBeLessThan(0.9 * records.Sum(r => r.ObjectiveOfRtn ?? 0));
        // layers * K * tokens
        records.Where(r => r.Name.Contains("down_proj", StringComparison.Ordinal)).Select(r => r.Tokens!.Value).Sum().ShouldBe(2 * 2 * 12 * 32);
        records.Where(r => r.Name.Contains("q_proj", StringComparison.Ordinal)).ShouldAllBe(r => r.Tokens == 12 * 32);
    }

    [Theory]
    [InlineData("\"coverage\":\"all\"")]
    [InlineData("\"weight-by-gate\":true")]
    [InlineData("\"act-order\":true")]
    public async Task Run_GptqVariants_GiveAModelThatLoads(string option)
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync(Gptq4.Replace("\"seed\":1", option, StringComparison.Ordinal), model);

        var stored = await _bench.OpenAsync(result.Outputs["model"]);
        using var decoder = MoeDecoder.Load(ModelConfig.Parse(stored.ReadFile("config.json")), new StoredWeights(stored));
        (await RecordsAsync(result)).ShouldAllBe(r => r.Method == "gptq" || r.Fallback != null);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public async Task Run_ExpertsWithZeroPoints_SaysWhoRefusesThem(bool symmetric, int notes)
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync($$"""{"method":"rtn","group-size":8,"symmetric":{{(symmetric ? "true" : "false")}}}""", model);

        result.Notes.Count(note => note.Contains("zero points", StringComparison.Ordinal)).ShouldBe(notes);
    }

    [Theory]
    [InlineData("gptq")]
    [InlineData("awq")]
    [InlineData("mixed")]
    public async Task Run_KilledAfterTheFirstLayer_GoesOnToTheSameRoot(string method)
    {
        var options = Gptq4.Replace("gptq\"", method == "mixed" ? "mixed\",\"budget-bytes\":110000" : $"{method}\"", StringComparison.Ordinal);
        var model = await _bench.ModelAsync(Tiny);
        var expected = await RunAsync(options, model);
        _bench.Cursor.Clear();
        _bench.Cursor.StopAfter = _bench.Cursor.Saves + 1;
        await Should.ThrowAsync<KilledException>(() => RunAsync(options, model));
        var saves = _bench.Cursor.Saves;

        var resumed = await RunAsync(options, model);

        resumed.Outputs.ShouldBe(expected.Outputs);
        (_bench.Cursor.Saves - saves).ShouldBe(Tiny.Layers - 1);
    }

    [Theory]
    [InlineData(8, "weight")]
    [InlineData(-1, null)]
    public async Task Run_ActOrder_IsWrittenOnlyWhereReadersTakeIt(int groupSize, string? expected)
    {
        var model = await _bench.ModelAsync(Tiny);
        var options = Gptq4.Replace("\"group-size\":8", $"\"group-size\":{groupSize},\"act-order\":true", StringComparison.Ordinal);

        var result = await RunAsync(options, model);

        using var config = JsonDocument.Parse((await _bench.OpenAsync(result.Outputs["model"])).ReadFile("config.json"));
        config.RootElement.GetProperty("quantization_config").GetProperty("config_groups").GetProperty("group_0").GetProperty("weights")
            .GetProperty("actorder").GetString().ShouldBe(expected);
    }

    [Theory]
    [InlineData("pack-quantized")]
    [InlineData("mixed-precision")]
    public async Task Load_TwoGroupsOfCodes_ExpandsEachMatrixByItsOwn(string format)
    {
        var model = await _bench.ModelAsync(Tiny);
        var eight = await _bench.OpenAsync((await RunAsync("""{"method":"rtn","bits":8,"group-size":-1}""", model)).Outputs["model"]);
        _bench.Cursor.Clear();
        var four = await _bench.OpenAsync((await RunAsync("""{"method":"rtn","bits":4,"group-size":8,"symmetric":false}""", model)).Outputs["model"]);
        var json = JsonNode.Parse(four.ReadFile("config.json"))!;
        var groups = json["quantization_config"]!["config_groups"]!;
        groups["group_1"] = JsonNode.Parse(eight.ReadFile("config.json"))!["quantization_config"]!["config_groups"]!["group_0"]!.DeepClone();
        if (format == "mixed-precision")
            (json["quantization_config"]!["format"], groups["group_0"]!["format"], groups["group_1"]!["format"]) = (format, "pack-quantized", "pack-quantized");

        using var mixed = MoeDecoder.Load(ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString())), new Mixed(eight, four));

        using var of8 = MoeDecoder.Load(ModelConfig.Parse(eight.ReadFile("config.json")), new StoredWeights(eight));
        using var of4 = MoeDecoder.Load(ModelConfig.Parse(four.ReadFile("config.json")), new StoredWeights(four));
        using var scope = NewDisposeScope();
        var (weights, weights8, weights4) = (mixed.ExportWeights().ToDictionary(), of8.ExportWeights().ToDictionary(), of4.ExportWeights().ToDictionary());
        foreach (var (name, value) in weights)
            value.bytes.SequenceEqual((Mixed.IsOfEight(name) ? weights8 : weights4)[name].bytes).ShouldBeTrue(name);
    }

    [Fact]
    public void Parse_GroupsThatTensorsCannotTellApart_SaysWhy()
    {
        var json = JsonNode.Parse((Tiny with { Quantization = new WeightQuantization(4, 8, Symmetric: true) }).ToJson())!;
        var groups = json["quantization_config"]!["config_groups"]!;
        groups["group_1"] = groups["group_0"]!.DeepClone();
        groups["group_1"]!["weights"]!["symmetric"] = false;

        Should.Throw<InvalidModelException>(() => ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString())))
            .Message.ShouldContain("4 bits both with and without zero points at one group size");
    }

    [Fact]
    public async Task Run_GroupSizeThatDoesNotFit_NamesTheNearestThatDoes()
    {
        var model = await _bench.ModelAsync(Tiny);

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"method":"rtn","bits":4,"group-size":64}""", model));

        error.Message.ShouldContain("24 input columns of down_proj");
        error.Message.ShouldContain("nearest group-size that fits every matrix is 8");
    }

    [Theory]
    [InlineData("model.layers.1.mlp.experts.3.up_proj.weight")]
    [InlineData("model.layers.0.mlp.gate.weight")]
    [InlineData("lm_head.weight")]
    public async Task Run_WeightsThatAreNotNumbers_AreRefusedByName(string name)
    {
        var model = await _bench.ModelAsync(Tiny, edit: (n, value) =>
        {
            if (n == name)
                value.view(-1).narrow(0, 0, 1).fill_(float.NaN);
        });

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"method":"rtn","bits":4,"group-size":8}""", model));

        error.Message.ShouldContain($"'{name}' holds NaN");
    }

    [Fact]
    public async Task Run_QuantizedModel_IsRefused()
    {
        var model = await _bench.ModelAsync(Tiny);
        var once = await RunAsync("""{"method":"rtn","bits":4,"group-size":8}""", model);
        _bench.Cursor.Clear();

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"method":"rtn","bits":8,"group-size":8}""", once.Outputs["model"]));

        error.Message.ShouldContain("quantized already, to 4 bits");
    }

    [Theory]
    [InlineData("""{"method":"rtn","bits":5}""", "4 or 8 bits")]
    [InlineData("""{"method":"gptq","bits":4,"group-size":8}""", "learns from text")]
    [InlineData("""{"method":"awq","bits":4,"group-size":8}""", "learns from text")]
    [InlineData("""{"method":"best"}""", "awq, eaquant, fp8, gptq, int8, mixed, rtn, smoothquant, ternary")]
    [InlineData("""{"method":"mixed","group-size":8,"budget-bytes":900000}""", "learns from text")]
    [InlineData("""{"method":"mixed","group-size":8}""", "needs 'budget-bytes'")]
    [InlineData("""{"method":"mixed","group-size":8,"budget-bytes":9}""", "with the fewest bits everywhere the tensors take")]
    [InlineData("""{"method":"mixed","group-size":8,"bits":8,"budget-bytes":900000}""", "Give 2 or 4")]
    [InlineData("""{"method":"mixed","bits":8,"group-size":-1,"format":"int-quantized"}""", "only pack-quantized has codes of several widths")]
    [InlineData("""{"method":"smoothquant"}""", "learns from text")]
    [InlineData("""{"method":"rtn","bits":8,"group-size":-1,"format":"float-quantized"}""", "use method fp8")]
    [InlineData("""{"method":"rtn","bits":8,"group-size":8,"format":"int-quantized"}""", "give group-size -1")]
    [InlineData("""{"method":"rtn","bits":8,"group-size":0}""", "'group-size' is 0")]
    [InlineData("""{"method":"fp8","bits":2,"group-size":16}""", "'bits' is 2, and method 'fp8' has 8; 'group-size' is 16, and method 'fp8' has -1 or 0")]
    [InlineData("""{"method":"int8","group-size":0,"symmetric":false}""", "'group-size' is 0, and method 'int8' has -1; 'symmetric' is false")]
    [InlineData("""{"method":"ternary","format":"int-quantized"}""", "method 'ternary' is stored as pack-quantized")]
    public async Task Run_BadOptions_SayWhatIsAllowed(string options, string message)
    {
        var model = await _bench.ModelAsync(Tiny);

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(options, model));

        error.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("gptq")]
    [InlineData("awq")]
    [InlineData("mixed")]
    public async Task Run_WithText_LeavesNoTensorAlive(string method)
    {
        var options = Gptq4.Replace("gptq\"", method == "mixed" ? "mixed\",\"budget-bytes\":110000" : $"{method}\"", StringComparison.Ordinal);
        var model = await _bench.ModelAsync(Tiny);
        await RunAsync(options, model);
        _bench.Cursor.Clear();
        var before = LiveTensors.CountSettled();

        await RunAsync(options, model);

        LiveTensors.Count.ShouldBe(before);
    }

    [Theory]
    [InlineData("float32", "linear")]
    [InlineData("bfloat16", "experts")]
    public async Task Run_Awq_StoresAPlainPackedModelWhoseNormsAndRoutersHoldTheScales(string weightType, string targets)
    {
        var model = await _bench.ModelAsync(Tiny with { WeightType = weightType, SharedSize = 16, SharedGate = true, Family = "qwen2_moe" });

        var result = await RunAsync(Gptq4.Replace("gptq\"", $"awq\",\"targets\":\"{targets}\"", StringComparison.Ordinal), model);

        var (before, after) = (await _bench.OpenAsync(model), await _bench.OpenAsync(result.Outputs["model"]));
        var expected = before.Names.SelectMany(name => after.Names.Contains(name) ? [name]
            : (string[])[name + "_packed", name + "_scale", name + "_shape"]).Order(StringComparer.Ordinal);
        after.Names.Order(StringComparer.Ordinal).ShouldBe(expected);
        using var decoder = MoeDecoder.Load(ModelConfig.Parse(after.ReadFile("config.json")), new StoredWeights(after));
        using var scope = NewDisposeScope();
        var (old, now) = (new StoredWeights(before), new StoredWeights(after));
        var norm = TensorNames.Layer(1) + "post_attention_layernorm.weight";
        var scales = old.Read(norm).to(float32) / now.Read(norm).to(float32); // (H)
        (scales - 1).abs().max().item<float>().ShouldBeGreaterThan(0.01f);
        foreach (var reader in (string[])[TensorNames.Router(1), TensorNames.SharedExpertGate(1)])
            (now.Read(reader).to(float32) - (old.Read(reader).to(float32) * scales).to(old.Read(reader).dtype).to(float32)).abs().max().item<float>()
                .ShouldBeLessThan(1e-6f, reader);
        var report = await FoldsAsync(result);
        report.Count.ShouldBe(2 * (targets == "linear" ? 3 + 4 + 1 : 1 + 4));
        report.Where(fold => fold.Error is not null).ShouldAllBe(fold => fold.Error <= fold.ErrorWithout);
        report.Sum(fold => fold.Error ?? 0).ShouldBeLessThan(report.Sum(fold => fold.ErrorWithout ?? 0));
    }

    [Theory]
    [InlineData("""{"method":"fp8"}""", "F8_E4M3", "float-quantized", "channel")]
    [InlineData("""{"method":"fp8","group-size":0}""", "F8_E4M3", "float-quantized", "tensor")]
    [InlineData("""{"method":"int8"}""", "I8", "int-quantized", "channel")]
    [InlineData("""{"method":"rtn","bits":8,"group-size":-1,"format":"int-quantized"}""", "I8", "int-quantized", "channel")]
    public async Task Run_EightBitsForReadersThatRoundActivations_StoresThemUnpackedAndSaysSo(string options, string dtype, string format, string strategy)
    {
        var model = await _bench.ModelAsync(Tiny with { WeightType = "bfloat16" });

        var result = await RunAsync(options, model);

        var stored = await _bench.OpenAsync(result.Outputs["model"]);
        var name = TensorNames.Expert(1, 2, "down");
        stored.Describe(name).ShouldBe(new TensorHeader(name, dtype, stored.Describe(name).Shape, 32 * 24));
        stored.Describe(name + "_scale").Shape.ShouldBe(strategy == "tensor" ? [1] : [32, 1]);
        var (weights, scales) = (stored.ReadAll(name), Decode(stored.ReadAll(name + "_scale")));
        using var scope = NewDisposeScope();
        using var decoder = MoeDecoder.Load(ModelConfig.Parse(stored.ReadFile("config.json")), new StoredWeights(stored));
        var loaded = decoder.ExportWeights().First(weight => weight.Name == name).Value.contiguous().data<float>().ToArray();
        for (var i = 0; i < weights.Length; i++)
        {
            var value = dtype == "I8" ? (sbyte)weights[i] : E4M3(weights[i]);
            loaded[i].ShouldBe((float)tensor((float)(value * scales[strategy == "tensor" ? 0 : i / 24])).to(bfloat16).to(float32).item<float>());
        }
        using var config = JsonDocument.Parse(stored.ReadFile("config.json"));
        var entry = config.RootElement.GetProperty("quantization_config");
        entry.GetProperty("format").GetString().ShouldBe(format);
        entry.GetProperty("ignore").EnumerateArray().Select(e => e.GetString())
            .ShouldBe(["lm_head", "model.layers.0.mlp.gate", "model.layers.1.mlp.gate"], ignoreOrder: true);
        var group = entry.GetProperty("config_groups").GetProperty("group_0");
        group.GetProperty("weights").GetProperty("strategy").GetString().ShouldBe(strategy);
        group.GetProperty("input_activations").GetProperty("strategy").GetString().ShouldBe("token");
        result.Notes.ShouldContain(note => note.Contains("activations as they are", StringComparison.Ordinal));
        // 8 bits, and scales of 16 per row or matrix
        result.Metrics["bits-per-weight"].ShouldBeInRange(8, 9);

        static double[] Decode(byte[] bytes) =>
            [.. bytes.Chunk(2).Select(pair => (double)BitConverter.UInt32BitsToSingle((uint)(pair[0] | pair[1] << 8) << 16))];

        // sign, four bits of exponent with bias 7, three of mantissa
        static double E4M3(byte code) => ((code & 0x80) == 0 ? 1 : -1) * ((code >> 3 & 15) == 0 ? (code & 7) * Math.Pow(2, -9)
            : (8 + (code & 7)) * Math.Pow(2, (code >> 3 & 15) - 10));
    }

    [Theory]
    [InlineData("smoothquant")]
    [InlineData("eaquant")]
    public async Task Run_Smoothing_MovesAWideChannelFromTheNormIntoWhatReadsIt(string method)
    {
        var norm = TensorNames.Layer(1) + "post_attention_layernorm.weight";
        var model = await _bench.ModelAsync(Tiny, edit: (name, value) =>
        {
            if (name == norm)
                value.narrow(0, 5, 1).mul_(30);
        });

        var result = await RunAsync($$"""{"method":"{{method}}","calibration":{"data":"file:x","samples":12,"length":32,"batch":4},"seed":1}""", model);

        var (before, after) = (await _bench.OpenAsync(model), await _bench.OpenAsync(result.Outputs["model"]));
        after.Describe(TensorNames.Expert(1, 0, "up")).DType.ShouldBe("I8");
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var plain = MoeDecoder.Load(Tiny, new StoredWeights(before));
        using var smooth = MoeDecoder.Load(ModelConfig.Parse(after.ReadFile("config.json")), new StoredWeights(after));
        var tokens = randint(0, 258, [2, 16], dtype: int64, generator: new Generator(1));
        var (was, now) = (plain.Forward(tokens), smooth.Forward(tokens));
        (now.Logits - was.Logits).abs().max().item<float>().ShouldBeLessThan(0.05f * was.Logits.abs().max().item<float>());
        Outlier(now).ShouldBeLessThan(0.5 * Outlier(was));
        (await FoldsAsync(result)).Count(fold => fold.Exponent is not null).ShouldBe(2 * 2); // the two norms of each layer

        // How much wider the widest channel of the block's input is than the one in the middle.
        double Outlier(DecoderOutput output)
        {
            var peaks = output.Routing[1].Input.abs().amax([0L]);
            return (peaks.max() / peaks.median()).item<float>();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.4)]
    [InlineData(1)]
    public async Task Run_Mixed_SpendsTheBudgetOnWholeUnits(double share)
    {
        var model = await _bench.ModelAsync(Tiny with { SharedSize = 16, SharedGate = true, Family = "qwen2_moe" });
        var least = await TensorBytesAsync(await RunAsync("""{"method":"rtn","bits":4,"group-size":8}""", model));
        var most = await TensorBytesAsync(await RunAsync("""{"method":"rtn","bits":8,"group-size":8}""", model));
        var budget = (long)(least + share * (most - least));

        var result = await RunAsync($$"""
            {"method":"mixed","group-size":8,"budget-bytes":{{budget}},"calibration":{"data":"file:x","samples":12,"length":32,"batch":4},"seed":1}
            """, model);

        var stored = await _bench.OpenAsync(result.Outputs["model"]);
        var config = ModelConfig.Parse(stored.ReadFile("config.json"));
        var bytes = await TensorBytesAsync(result);
        bytes.ShouldBeLessThanOrEqualTo(budget);
        var report = await _bench.OpenAsync(result.Outputs["report"]);
        using var json = JsonDocument.Parse(report.ReadFile("report.json"));
        var units = json.RootElement.GetProperty("allocation").Deserialize<List<AllocationRecord>>(WireJson.Options)!;
        units.Count.ShouldBe(2 * 6);
        units.ShouldAllBe(unit => unit.Choices[0].Damage > unit.Choices[1].Damage && unit.Choices[1].Damage > 0);
        units.Select(unit => unit.Bits).Distinct().Order().ShouldBe(share == 0 ? [4] : share == 1 ? [8] : [4, 8]);
        (bytes == least, bytes == most).ShouldBe((share == 0, share == 1));
        if (share is > 0 and < 1) // no unit that is left at 4 bits would still fit
            units.Where(unit => unit.Bits == 4).ShouldAllBe(unit => unit.Choices[1].Bytes - unit.Choices[0].Bytes > budget - bytes);
        config.Quantization!.Kinds.Select(kind => kind.Bits).Order().ShouldBe(units.Select(unit => unit.Bits).Distinct().Order());
        // codes of a matrix have the width that config.json gives its module
        using var written = JsonDocument.Parse(stored.ReadFile("config.json"));
        var groups = written.RootElement.GetProperty("quantization_config").GetProperty("config_groups").EnumerateObject();
        var bitsOf = groups.Select(group => group.Value).SelectMany(group => group.GetProperty("targets").EnumerateArray()
            .Select(target => (target.GetString()!, group.GetProperty("weights").GetProperty("num_bits").GetInt32()))).ToDictionary();
        foreach (var packed in stored.Names.Where(name => name.EndsWith(".weight_packed", StringComparison.Ordinal)))
        {
            var columns = stored.ReadAll(packed.Replace("_packed", "_shape", StringComparison.Ordinal))[8];
            (stored.Describe(packed).Shape[1] * 32 / columns).ShouldBe(bitsOf.GetValueOrDefault(packed[..^".weight_packed".Length], bitsOf["Linear"]), packed);
        }
        using var decoder = MoeDecoder.Load(config, new StoredWeights(stored));

        async Task<long> TensorBytesAsync(StageResult run)
        {
            _bench.Cursor.Clear();
            return (await _bench.OpenAsync(run.Outputs["model"])).Manifest.Tensors.Sum(entry => entry.SizeBytes);
        }
    }

    [Fact]
    public async Task Run_TernaryOfTernaryExperts_ComputesWhatTheModelDidInTwoBits()
    {
        var ternary = Tiny with { TernaryExperts = true, ExpertSize = 32 };
        var model = await _bench.ModelAsync(ternary);

        var result = await RunAsync("""{"method":"ternary","targets":"experts"}""", model);

        var (before, after) = (await _bench.OpenAsync(model), await _bench.OpenAsync(result.Outputs["model"]));
        var config = ModelConfig.Parse(after.ReadFile("config.json"));
        config.TernaryExperts.ShouldBeFalse();
        after.Describe(TensorNames.Expert(0, 0, "up") + "_packed").Shape.ShouldBe([32, 32 * 2 / 32]);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var latent = MoeDecoder.Load(ternary, new StoredWeights(before));
        using var packed = MoeDecoder.Load(config, new StoredWeights(after));
        var tokens = randint(0, 258, [2, 16], dtype: int64, generator: new Generator(1));
        (packed.Forward(tokens).Logits - latent.Forward(tokens).Logits).abs().max().item<float>().ShouldBeLessThan(1e-5f);
        result.Notes.ShouldContain(note => note.Contains("codes of 2 bits", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_AwqOnTernaryExperts_IsRefused()
    {
        var model = await _bench.ModelAsync(Tiny with { TernaryExperts = true });

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(Gptq4.Replace("gptq", "awq", StringComparison.Ordinal), model));

        error.Message.ShouldContain("Use method ternary");
    }

    private async Task<StageResult> RunAsync(string options, ManifestRef model)
    {
        var documents = Enumerable.Range(0, 40).Select(i => string.Concat(Enumerable.Repeat($"document {i} says {i * 7919 % 104729}; ", 6))).ToList();
        var data = await _bench.DatasetAsync(new Dictionary<string, IReadOnlyList<string>> { ["train/prose"] = documents });
        var context = _bench.Context(options, new StepInput("base", "model", model), new StepInput("bench", "calibration.data", data));
        return await new QuantizeStage().RunAsync(context, default);
    }

    private async Task<List<FoldRecord>> FoldsAsync(StageResult result)
    {
        var report = await _bench.OpenAsync(result.Outputs["report"]);
        using var json = JsonDocument.Parse(report.ReadFile("report.json"));
        return json.RootElement.GetProperty("folds").Deserialize<List<FoldRecord>>(WireJson.Options)!;
    }

    private async Task<List<MatrixRecord>> RecordsAsync(StageResult result)
    {
        var report = await _bench.OpenAsync(result.Outputs["report"]);
        using var json = JsonDocument.Parse(report.ReadFile("report.json"));
        return json.RootElement.GetProperty("matrices").Deserialize<List<MatrixRecord>>(WireJson.Options)!;
    }

    // Attention in 8 bits, the rest in 4.
    private sealed class Mixed(CheckpointReader eight, CheckpointReader four) : IWeightSource
    {
        private readonly (StoredWeights Eight, StoredWeights Four) _weights = (new(eight), new(four));

        public IReadOnlyCollection<string> Names { get; } = [.. eight.Names.Where(IsOfEight), .. four.Names.Where(name => !IsOfEight(name))];

        public static bool IsOfEight(string name) => name.Contains("self_attn", StringComparison.Ordinal);

        public WeightHeader Describe(string name) => Of(name).Describe(name);

        public Tensor Read(string name) => Of(name).Read(name);

        private StoredWeights Of(string name) => IsOfEight(name) ? _weights.Eight : _weights.Four;
    }

    // Expands codes with nothing but the format's text: bits i b .. i b + b - 1 of a row, lowest first, less 2^(b-1).
    private sealed class ExpandedByHand(CheckpointReader stored, ModelConfig config) : IWeightSource
    {
        private readonly StoredWeights _weights = new(stored);

        public IReadOnlyCollection<string> Names { get; } =
            [.. stored.Names.Select(n => n.EndsWith("_packed", StringComparison.Ordinal) ? n[..^"_packed".Length] : n)
                .Where(n => !n.Contains("weight_", StringComparison.Ordinal))];

        public WeightHeader Describe(string name) =>
            stored.Names.Contains(name) ? _weights.Describe(name) : new WeightHeader(bfloat16, Shape(name));

        public Tensor Read(string name)
        {
            if (stored.Names.Contains(name))
                return _weights.Read(name);
            using var scope = NewDisposeScope();
            var shape = Shape(name);
            var (bits, groups) = (config.Quantization!.Bits, (int)stored.Describe(name + "_scale").Shape[1]);
            var words = stored.ReadAll(name + "_packed");
            var scales = _weights.Read(name + "_scale").to(float32).flatten().data<float>().ToArray();
            var zeros = config.Quantization.Symmetric ? null : stored.ReadAll(name + "_zero_point");
            var values = new float[shape[0] * shape[1]];
            for (var row = 0; row < shape[0]; row++)
            {
                for (var column = 0; column < shape[1]; column++)
                {
                    var group = (int)(column / (shape[1] / groups));
                    var zero = zeros is null ? 0 : Code(zeros, row / (32 / bits) * groups * 32 + group * 32 + row % (32 / bits) * bits, bits);
                    values[row * shape[1] + column] = (Code(words, (row * shape[1] + column) * bits, bits) - zero) * scales[row * groups + group];
                }
            }
            return tensor(values, shape).to(bfloat16).MoveToOuterDisposeScope();
        }

        private static int Code(byte[] words, long bit, int bits) => (words[bit / 8] >> (int)(bit % 8) & ((1 << bits) - 1)) - (1 << (bits - 1));

        private long[] Shape(string name) => [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(stored.ReadAll(name + "_shape"))];
    }
}
