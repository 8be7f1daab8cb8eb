using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.Evaluator.Tests.Passes;

/// <summary>Peak memory of the process while two checkpoints, each larger than the cap, are compared.</summary>
public sealed class MemoryTests
{
    private const int Layers = 20;
    private const long Cap = 64 << 20;
    private static readonly ModelConfig Shallow = ModelConfig.Tiny() with
    {
        HiddenSize = 128, HeadSize = 32, ExpertSize = 512, Experts = 8, Layers = 1, WeightType = "bfloat16",
    };

    [Fact]
    public async Task Run_AgreementOfCheckpointsLargerThanTheCap_StaysBelowIt()
    {
        TorchRuntime.Prepare(); // as every worker does
        using var bench = new StageBench();
        var (a, b) = (await bench.ModelAsync(Shallow, seed: 1), await bench.ModelAsync(Shallow, seed: 2));
        await RunAsync(bench, a, b); // loads code and text
        bench.Cursor.Clear();
        var (first, second) = (await bench.DeepenAsync(a, Shallow, Layers), await bench.DeepenAsync(b, Shallow, Layers));
        GC.Collect();
        ProcessMemory.ResetPeak();
        var before = ProcessMemory.Now;

        var result = await RunAsync(bench, first, second);

        var grown = ProcessMemory.Peak - before;
        (2 * first.SizeBytes).ShouldBeGreaterThan(Cap + Cap / 4); // in the type that it computes with
        result.Metrics["b.kl-divergence"].ShouldBeGreaterThan(0);
        grown.ShouldBeLessThan(Cap);
    }

    private static async Task<StageResult> RunAsync(StageBench bench, ManifestRef a, ManifestRef b)
    {
        var documents = Enumerable.Range(0, 4).Select(i => $"document {i} says {i * 7919 % 104729}.").ToList();
        var data = await bench.DatasetAsync(new Dictionary<string, IReadOnlyList<string>> { ["held-out/prose"] = documents });
        var context = bench.Context(
            """{"tasks":["validation-loss","agreement"],"length":16,"batch":2,"resamples":100,"xz":false}""",
            new StepInput("a", "model", a), new StepInput("b", "model", b), new StepInput("data", "data", data));
        return await new EvaluateStage(new MemoryLimits { FreeBytes = () => 1 }).RunAsync(context, default);
    }
}
