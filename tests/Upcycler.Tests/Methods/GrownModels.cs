using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Tests.Methods;

/// <summary>Grows small models of any family through the stage, and compares what they compute.</summary>
internal static class GrownModels
{
    public static ModelConfig Dense(string family = "llama") => ModelConfig.Tiny() with
    {
        Family = family,
        Experts = 0,
        ExpertsPerToken = 0,
        ExpertSize = 0,
        DenseSize = 24,
        QueryKeyNorm = family == "qwen3" ? QueryKeyNorm.PerHead : QueryKeyNorm.None,
        QueryKeyValueBias = family == "qwen2",
        InitializerRange = 0.2,
    };

    public static async Task<TinyCheckpoint> StoreAsync(ModelConfig config, long seed = 1)
    {
        var tiny = await TinyCheckpoint.CreateAsync();
        tiny.Inputs[0] = new StepInput("base", OutputNames.Model, await SaveAsync(tiny, config, seed));
        return tiny;
    }

    public static async Task<ManifestRef> SaveAsync(TinyCheckpoint tiny, ModelConfig config, long seed)
    {
        using var decoder = MoeDecoder.Create(config, seed);
        using var writer = new CheckpointWriter(tiny.Store);
        await CheckpointSaver.AddAsync(writer, decoder, default);
        foreach (var (path, bytes) in ByteFiles.For(config))
            await writer.AddFileAsync(path, bytes, default);
        return await writer.CommitAsync(default);
    }

    public static async Task<(StageResult Result, double Difference)> GrowAsync(TinyCheckpoint tiny, string options)
    {
        var result = await UpcycleStageTests.RunAsync(tiny, options);
        return (result, await DifferenceAsync(tiny, tiny.Inputs[0].Artifact, result.Outputs["model"]));
    }

    public static async Task<double> DifferenceAsync(TinyCheckpoint tiny, ManifestRef before, ManifestRef after)
    {
        using var source = DecoderFiles.LoadDecoder((await tiny.OpenAsync(before)).Reader, "source");
        using var grown = DecoderFiles.LoadDecoder((await tiny.OpenAsync(after)).Reader, "grown");
        using var scope = NewDisposeScope(); // scopes and gradient modes belong to a thread: no await from here on
        using var untracked = no_grad();
        var tokens = randint(0, source.Config.VocabularySize, [4, 32], dtype: int64, generator: new Generator(7));
        var logits = source.Forward(tokens).Logits;
        logits.abs().max().item<float>().ShouldBeGreaterThan(0.1f);
        return (grown.Forward(tokens).Logits - logits).abs().max().item<float>();
    }
}
