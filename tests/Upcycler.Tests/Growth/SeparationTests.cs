using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Tests.Growth;

/// <summary>Whether copies become different from their sources in 20 steps of real training.</summary>
public sealed class SeparationTests
{
    private const int Steps = 20;

    [Theory]
    [InlineData(BalanceMethod.LossFree)]
    [InlineData(BalanceMethod.Loss)]
    public async Task Train_PlainCopies_StayEqualForEver(BalanceMethod balance)
    {
        var distances = await TrainAsync("""{"method":"copy","router":{"method":"copy"},"allow-symmetry-lock":true,"seed":1}""", balance);

        distances.ShouldAllBe(d => d == 0);
    }

    [Theory]
    [InlineData("""{"method":"copy","router":{"method":"copy-noise"},"seed":1}""")]
    [InlineData("""{"method":"copy","router":{"method":"bias-only"},"seed":1}""")]
    [InlineData("""{"method":"copy","preserve":"sibling-exclusive","seed":1}""")]
    public async Task Train_EachBreaker_SeparatesEveryCopy(string options)
    {
        var distances = await TrainAsync(options, BalanceMethod.LossFree);

        distances.ShouldAllBe(d => d > 0);
    }

    // Relative distance of each copy to its source, over all layers.
    private static async Task<List<double>> TrainAsync(string options, BalanceMethod balance)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        var result = await UpcycleStageTests.RunAsync(tiny, options);
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(result.Outputs["model"])).Reader, "model");
        decoder.Buffer.RequireGradients();
        using var optimizer = new AdamW(decoder.Buffer);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings { Balance = balance });
        for (var step = 0; step < Steps; step++)
        {
            using var scope = NewDisposeScope();
            trainer.Step([randint(0, 256, [4, 33], dtype: int64, generator: new Generator((ulong)step + 1))], 1e-3);
        }
        return [.. Enumerable.Range(0, 2).SelectMany(layer => Enumerable.Range(4, 4).Select(copy => Distance(decoder, layer, copy - 4, copy)))];
    }

    private static double Distance(MoeDecoder decoder, int layer, int source, int copy)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (a, b) = (decoder.GetExpert(layer, source), decoder.GetExpert(layer, copy));
        return ((a.Gate - b.Gate).norm() / a.Gate.norm() + (a.Up - b.Up).norm() / a.Up.norm() + (a.Down - b.Down).norm() / a.Down.norm()).item<float>();
    }
}
