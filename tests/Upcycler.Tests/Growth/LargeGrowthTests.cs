using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Modeling.Runtime;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests.Growth;

/// <summary>Growth by copies moves no weights: 20 GB of experts, which all name one blob so that the test is quick.</summary>
public sealed class LargeGrowthTests
{
    private const int Layers = 13, Experts = 32, Hidden = 2048, Width = 4096;

    [Theory]
    [InlineData("""{"method":"copy","seed":1}""", 2)]
    [InlineData("""{"method":"copy","multiplier":4,"seed":1}""", 4)]
    [InlineData("""{"method":"depth","factor":2,"seed":1}""", 1)]
    public async Task Run_TwentyGigabytes_ReadsAndWritesRoutersAlone(string options, int multiplier)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        tiny.Inputs[0] = new StepInput("base", OutputNames.Model, await StoreAsync(tiny));
        var (allocated, tensors) = (GC.GetTotalAllocatedBytes(precise: true), TorchRuntime.LiveTensorCount);

        var result = await UpcycleStageTests.RunAsync(tiny, options);

        (GC.GetTotalAllocatedBytes(precise: true) - allocated).ShouldBeLessThan(400L << 20); // names, digests and routers
        TorchRuntime.LiveTensorCount.ShouldBeLessThanOrEqualTo(tensors);
        var before = await tiny.Store.ReadAsync(tiny.Inputs[0].Artifact.Root, default);
        before.Tensors.Sum(t => t.SizeBytes).ShouldBeGreaterThan(20_000_000_000);
        var after = await tiny.Store.ReadAsync(result.Outputs["model"].Root, default);
        var routers = multiplier == 1 ? 0 : (long)Layers * Experts * multiplier * Hidden * 2;
        result.Metrics["bytes-new"].ShouldBe(routers + after.Files.Single(f => f.Path == "config.json").SizeBytes + CanonicalJson.Serialize(after).Length);
    }

    private static async Task<ManifestRef> StoreAsync(TinyCheckpoint tiny)
    {
        var config = ModelConfig.Tiny() with { Layers = Layers, Experts = Experts, HiddenSize = Hidden,
            ExpertSize = Width, Heads = 16, KeyValueHeads = 16, HeadSize = 128, WeightType = "bfloat16" };
        var matrix = (await tiny.Store.Blobs.PutAsync(new byte[Hidden * Width * 2], default)).Digest;
        using var writer = new CheckpointWriter(tiny.Store);
        await writer.AddFileAsync("config.json", config.ToJson(), default);
        foreach (var (name, shape) in Others(config))
            await writer.AddTensorAsync(name, "BF16", shape, Random(name, shape), default);
        for (var layer = 0; layer < Layers; layer++)
            for (var expert = 0; expert < Experts; expert++)
                foreach (var projection in (string[])["gate", "up", "down"])
                    writer.AddExisting(new TensorEntry(
                        TensorNames.Expert(layer, expert, projection), "BF16", projection == "down" ? [Hidden, Width]
                            : [Width, Hidden], matrix, 0, Hidden * Width * 2));
        return await writer.CommitAsync(default);
    }

    private static byte[] Random(string name, long[] shape)
    {
        var random = new Surgery.KeyedRandom(1, 0, name);
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)random.NextSymmetric(1);
        return Artifacts.Checkpoints.FloatBytes.FromFloats("BF16", values);
    }

    private static IEnumerable<(string Name, long[] Shape)> Others(ModelConfig c)
    {
        yield return (TensorNames.Embedding, [c.VocabularySize, c.HiddenSize]);
        yield return (TensorNames.FinalNorm, [c.HiddenSize]);
        yield return (TensorNames.Head, [c.VocabularySize, c.HiddenSize]);
        for (var l = 0; l < c.Layers; l++)
        {
            yield return (TensorNames.Layer(l) + "post_attention_layernorm.weight", [c.HiddenSize]);
            yield return (TensorNames.Router(l), [c.Experts, c.HiddenSize]);
        }
    }
}
