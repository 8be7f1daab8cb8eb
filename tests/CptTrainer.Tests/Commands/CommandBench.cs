using System.Text.Json;
using Espalier.Contracts;
using Espalier.CptTrainer.Commands;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;
using Espalier.Tokenizers;
using TorchSharp;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>What a step with a program needs: a store, a small model, and a folder for programs.</summary>
public sealed class CommandBench : IDisposable
{
    public TrainingBench Training { get; } = new();

    public DirectoryInfo Cache { get; } = Directory.CreateTempSubdirectory("espalier-command-");

    public async Task<ManifestRef> AddModelAsync()
    {
        var shape = new ModelOptions { Layers = 1, Hidden = 16, Heads = 2, Experts = 2, TopK = 1, ExpertSize = 8 };
        using var decoder = MoeDecoder.Create(shape.ToConfig(ByteLevelBpe.OfBytes()), 1, torch.CPU);
        return await Training.AddModelAsync(decoder);
    }

    public StageContext Context(
        CommandOptions options, IReadOnlyList<StepInput> inputs, IStageProgress? progress = null, string device = DeviceNames.Cpu) => new()
    {
        Step = new StepAddress(Guid.Empty, "theirs", Digest.Of("step"u8)),
        Options = JsonSerializer.SerializeToElement(options, WireJson.Options),
        Inputs = inputs,
        Artifacts = Training.Store,
        Cursor = new MemoryCursor(),
        Progress = progress ?? new RecordedProgress(),
        Cache = Cache,
        Device = device,
    };

    public void Dispose()
    {
        Training.Dispose();
        Cache.Delete(recursive: true);
    }
}
