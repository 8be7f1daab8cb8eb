using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

/// <summary>Layers that run again on the way back: the same gradients, less memory.</summary>
public sealed class RecomputationTests
{
    public static TheoryData<string> Variants => FusedKernelsTests.Variants;

    [Theory, MemberData(nameof(Variants))]
    public void Gradients_OfKernels_AreTheSameBits(string variant)
    {
        using var decoder = FusedModels.Create(variant);
        using var optimizer = new AdamW(decoder.Buffer);
        using var scope = NewDisposeScope();

        var (kept, keptGradients, keptCounts) = Accumulate(decoder, optimizer, variant, recompute: false);
        var keptBytes = decoder.TrainingBytes;
        var (again, gradients, counts) = Accumulate(decoder, optimizer, variant, recompute: true);

        again.ShouldBe(kept);
        counts.ShouldBe(keptCounts);
        gradients.equal(keptGradients).all().item<bool>().ShouldBeTrue();
        decoder.TrainingBytes.ShouldBeLessThan(keptBytes);
        Accumulate(decoder, optimizer, variant, recompute: false).Gradients.equal(keptGradients).all().item<bool>().ShouldBeTrue();
    }

    [Theory, MemberData(nameof(Variants))]
    public void Gradients_OfTensorOperations_AreTheSame(string variant)
    {
        using var decoder = FusedModels.Create(variant);
        decoder.UsesKernels = false;
        using var optimizer = new AdamW(decoder.Buffer);
        using var scope = NewDisposeScope();

        var (kept, expected, keptCounts) = Accumulate(decoder, optimizer, variant, recompute: false);
        var (again, gradients, counts) = Accumulate(decoder, optimizer, variant, recompute: true);

        again.Loss.ShouldBe(kept.Loss, 1e-6);
        again.Balance.ShouldBe(kept.Balance, 1e-5);
        again.RouterZ.ShouldBe(kept.RouterZ, 1e-5 * kept.RouterZ + 1e-9);
        counts.ShouldBe(keptCounts);
        ((double)((gradients - expected).norm().item<float>() / expected.norm().item<float>())).ShouldBeLessThan(1e-6);
        decoder.UsesKernels.ShouldBeFalse();
    }

    [Fact]
    public void Steps_OfTensorOperations_KeepNoTensors()
    {
        using var decoder = FusedModels.Create("shared");
        decoder.UsesKernels = false;
        using var optimizer = new AdamW(decoder.Buffer);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings { Recompute = true });
        trainer.Step([FusedModels.Batch("shared")], 1e-3);
        var before = LiveTensors.CountSettled();

        var loss = trainer.Step([FusedModels.Batch("shared"), FusedModels.Batch("shared")], 1e-3).Loss;

        LiveTensors.Count.ShouldBe(before);
        double.IsFinite(loss).ShouldBeTrue();
    }

    private static (BatchLosses Losses, Tensor Gradients, long[][] Counts) Accumulate(
        MoeDecoder decoder, AdamW optimizer, string variant, bool recompute)
    {
        var settings = new TrainerSettings { Balance = BalanceMethod.Loss, BalanceCoefficient = 0.1, RouterZCoefficient = 0.05, Recompute = recompute };
        var counts = Enumerable.Range(0, decoder.Config.Layers).Select(_ => new long[decoder.Config.Experts]).ToArray();
        decoder.Buffer.Gradients!.zero_();
        var losses = new DecoderTrainer(decoder, optimizer, settings).Accumulate(FusedModels.Batch(variant), counts, 0.5, observer: null);
        return (losses, decoder.Buffer.Gradients!.clone(), counts);
    }
}
