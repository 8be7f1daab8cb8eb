using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.Quantizer.Tests;

/// <summary>Peak memory of the process while a checkpoint larger than the cap is calibrated and quantized.</summary>
public sealed class MemoryTests
{
    private const int Layers = 20;
    private const long Cap = 96 << 20;

    [Fact]
    public async Task Gptq_CheckpointLargerThanTheCap_StaysBelowIt()
    {
        TorchRuntime.Prepare(); // as every worker does
        var config = ModelConfig.Tiny() with { HiddenSize = 128, HeadSize = 32, ExpertSize = 512, Experts = 8, Layers = 1 };
        using var bench = new StageBench();
        var shallow = await bench.ModelAsync(config);
        await RunAsync(bench, shallow); // loads code and text
        bench.Cursor.Clear();
        var deep = await bench.DeepenAsync(shallow, config, Layers);
        GC.Collect();
        ProcessMemory.ResetPeak();
        var before = ProcessMemory.Now;

        var result = await RunAsync(bench, deep);

        var grown = ProcessMemory.Peak - before;
        deep.SizeBytes.ShouldBeGreaterThan(Cap + Cap / 4);
        result.Metrics["bytes"].ShouldBeLessThan(result.Metrics["bytes-before"] / 4);
        grown.ShouldBeLessThan(Cap);
    }

    private static async Task<StageResult> RunAsync(StageBench bench, ManifestRef model)
    {
        var documents = Enumerable.Range(0, 40).Select(i => string.Concat(Enumerable.Repeat($"document {i} says {i * 7919 % 104729}; ", 6))).ToList();
        var data = await bench.DatasetAsync(new Dictionary<string, IReadOnlyList<string>> { ["train/prose"] = documents });
        var context = bench.Context(
            """{"method":"gptq","bits":4,"group-size":32,"calibration":{"data":"file:x","samples":4,"length":16,"batch":2},"seed":1}""",
            new StepInput("base", "model", model), new StepInput("bench", "calibration.data", data));
        return await new QuantizeStage().RunAsync(context, default);
    }
}
