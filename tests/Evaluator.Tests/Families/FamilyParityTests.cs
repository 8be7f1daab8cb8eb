using System.Runtime.InteropServices;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using Espalier.TestKit.Families;

namespace Espalier.Evaluator.Tests.Families;

/// <summary>Every family against an independent second implementation, by the way a user goes: a directory, the stage, its file.</summary>
public sealed class FamilyParityTests : IDisposable
{
    private static readonly int[][] Tokens = [[1, 5, 9, 200, 17, 3, 250, 81, 44, 9, 131], [7, 7, 256, 0, 259, 100, 2, 2, 19, 77, 5]];

    private readonly StageBench _bench = new();

    public static TheoryData<string> Cases => [.. FamilyModel.Cases];

    public void Dispose() => _bench.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Logits_OfEveryFamily_EqualTheReference(string name) => await CompareAsync(name, "F32", stacked: false, shards: 1);

    [Theory]
    [InlineData("mixtral", "BF16")]
    [InlineData("qwen2-moe", "F16")]
    [InlineData("qwen3-moe", "BF16")]
    [InlineData("deepseek-v3", "BF16")]
    public async Task Logits_OfStackedShardedHalfPrecisionFiles_EqualTheReference(string name, string dtype) =>
        await CompareAsync(name, dtype, stacked: true, shards: 3);

    private async Task CompareAsync(string name, string dtype, bool stacked, int shards)
    {
        var model = FamilyModel.Create(name);
        var length = Math.Min(Tokens[0].Length, (int)model.Config["max_position_embeddings"]!);

        var (logits, experts, vocabulary) = await EvaluateAsync(model, dtype, stacked, shards, length);

        var reference = FamilyReference.Of(model, dtype);
        var expected = Tokens.SelectMany(row => reference.Forward(row[..length])).SelectMany(row => row).ToArray();
        logits.Length.ShouldBe(Tokens.Length * length * vocabulary);
        logits.Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-4);
        expected.Max(Math.Abs).ShouldBeGreaterThan(0.5); // otherwise the bound above would say little
        experts.Keys.ShouldBe(reference.Experts.Keys);
        foreach (var (layer, chosen) in reference.Experts)
            experts[layer].ShouldBe(chosen.SelectMany(e => e));
    }

    private async Task<(float[] Logits, SortedDictionary<int, int[]> Experts, int Vocabulary)> EvaluateAsync(
        FamilyModel model, string dtype, bool stacked, int shards, int length)
    {
        using var folder = new TemporaryModel();
        var root = await HuggingFaceImporter.ImportAsync(
            _bench.Store, model.Write(folder.Path, dtype, shards, stacked), new ImportOptions { Check = ModelCheck.Of("here") }, default);
        var tokens = string.Join(',', Tokens.Select(row => $"[{string.Join(',', row[..length])}]"));
        var context = _bench.Context(
            $$"""{"tasks":["logits"],"tokens":[{{tokens}}],"precision":"fp32"}""", new StepInput("model", OutputNames.Model, root));
        var result = await new EvaluateStage(new MemoryLimits { FreeBytes = () => 0 }).RunAsync(context, default);
        var layered = await new EvaluateStage(new MemoryLimits { FreeBytes = () => 1 }).RunAsync(context, default);
        layered.Outputs.ShouldBe(result.Outputs, "a layer at a time gives the same bits");

        var report = await _bench.OpenAsync(result.Outputs[OutputNames.Report]);
        var file = Path.Combine(folder.Path, "logits.safetensors");
        File.WriteAllBytes(file, report.ReadFile("logits.safetensors"));
        using var tensors = SafetensorsFile.Open(file);
        var shape = tensors.Describe("logits").Shape;
        var experts = new SortedDictionary<int, int[]>();
        foreach (var name in tensors.Names.Where(n => n.StartsWith("experts.", StringComparison.Ordinal)))
            experts[int.Parse(name["experts.".Length..], System.Globalization.CultureInfo.InvariantCulture)] = [.. MemoryMarshal.Cast<byte,
                int>(tensors.ReadAll(name))];
        return ([.. MemoryMarshal.Cast<byte, float>(tensors.ReadAll("logits"))], experts, (int)shape[2]);
    }

    private sealed class TemporaryModel : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("espalier-family-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
