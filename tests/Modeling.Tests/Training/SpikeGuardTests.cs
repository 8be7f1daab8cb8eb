using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class SpikeGuardTests
{
    [Fact]
    public void Observe_FirstSteps_AreNoSpikes()
    {
        var guard = new SpikeGuard(2, []);

        Enumerable.Range(0, 16).Select(step => guard.Observe(step == 5 ? 100 : 1)).ShouldAllBe(isSpike => !isSpike);

        guard.Limit.ShouldBe(2);
        guard.Observe(2.1).ShouldBeTrue();
        guard.Observe(1.9).ShouldBeFalse();
    }

    [Fact]
    public void Observe_LastingChange_IsAcceptedAfterHalfAWindow()
    {
        var norms = Enumerable.Repeat(1.0, 64).ToList();
        var guard = new SpikeGuard(3, norms);

        var spikes = Enumerable.Range(0, 64).Select(_ => guard.Observe(10)).ToList();

        spikes.Count(isSpike => isSpike).ShouldBe(32);
        spikes.Skip(32).ShouldAllBe(isSpike => !isSpike);
        norms.Count.ShouldBe(64);
    }

    [Fact]
    public void Update_AfterSteps_IsTheMovingAverage()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var untracked = no_grad();
        decoder.Buffer.Values.fill_(1);
        using var average = new WeightAverage(decoder.Buffer, 0.5);

        decoder.Buffer.Values.fill_(2);
        average.Update(1); // 2 / 11 are kept: 1 + 9 / 11
        decoder.Buffer.Values.fill_(3);
        average.Update(100); // half is kept
        average.Apply();

        ((double)decoder.Buffer.Values[7].item<float>()).ShouldBe((1 + 9.0 / 11 + 3) / 2, 1e-6);
    }
}
