using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.TestKit.Models;

namespace Espalier.Pruner.Tests;

/// <summary>Peak memory of the process while a checkpoint larger than the cap is calibrated.</summary>
public sealed class MemoryTests
{
    private const int Layers = 24;
    private const long Cap = 75 << 20;

    [Fact]
    public async Task Heapr_CheckpointLargerThanTheCap_StaysBelowIt()
    {
        var config = ModelConfig.Tiny() with { HiddenSize = 128, HeadSize = 32, ExpertSize = 512, Experts = 8, Layers = 1 };
        using var tiny = await TinyCheckpoint.CreateAsync(config);
        await tiny.AddCalibrationAsync();
        await RunAsync(tiny); // loads code and text
        tiny.Cursor.Position = null;
        await DeepenAsync(tiny, config);
        GC.Collect();
        ProcessMemory.ResetPeak();
        var before = ProcessMemory.Now;

        await RunAsync(tiny);

        var grown = ProcessMemory.Peak - before;
        tiny.Inputs[0].Artifact.SizeBytes.ShouldBeGreaterThan(2 * Cap);
        grown.ShouldBeLessThan(Cap);
    }

    // One stored layer under many names: the bytes are those of a deep model, and making them takes no time.
    private static async Task DeepenAsync(TinyCheckpoint tiny, ModelConfig config)
    {
        var source = await CheckpointReader.OpenAsync(tiny.Store, tiny.Model, default);
        using var writer = new CheckpointWriter(tiny.Store);
        await writer.AddFileAsync("config.json", (config with { Layers = Layers }).ToJson(), default);
        foreach (var (path, bytes) in ByteFiles.For(config))
            await writer.AddFileAsync(path, bytes, default);
        foreach (var tensor in source.Manifest.Tensors)
        {
            if (!tensor.Name.StartsWith(TensorNames.Layer(0), StringComparison.Ordinal))
            {
                writer.AddExisting(tensor);
                continue;
            }
            for (var layer = 0; layer < Layers; layer++)
                writer.AddExisting(tensor, TensorNames.Layer(layer) + tensor.Name[TensorNames.Layer(0).Length..]);
        }
        tiny.Inputs[0] = new StepInput("base", OutputNames.Model, await writer.CommitAsync(default));
    }

    private static async Task RunAsync(TinyCheckpoint tiny)
    {
        var context = tiny.Context("""{"method":"heapr","ratio":0.25,"seed":1,"calibration":{"data":"file:words","samples":4,"length":16,"batch":2}}""");
        await SumCollector.CollectAsync(context, await tiny.OpenAsync(tiny.Inputs[0].Artifact), new Heapr(), CalibrationNeed.Gradients, default);
    }
}
