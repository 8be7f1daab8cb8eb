using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class AdamWTests
{
    [Fact]
    public void Step_TwoSteps_FollowTheFormula()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var optimizer = new AdamW(decoder.Buffer) { WeightDecay = 0.1 };
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var before = decoder.Buffer.Values.data<float>().ToArray();
        var gradients = randn(before.Length, generator: RandomStream.For(1, "g"));
        var g = gradients.data<float>().ToArray();

        for (var step = 0; step < 2; step++)
        {
            decoder.Buffer.Gradients!.copy_(gradients);
            optimizer.Step(0.01, gradientClip: 0);
        }

        var after = decoder.Buffer.Values.data<float>().ToArray();
        foreach (var i in (int[])[0, 5, (int)decoder.Buffer.DecayedLength + 3])
        {
            var (w, m, v) = ((double)before[i], 0.0, 0.0);
            for (var t = 1; t <= 2; t++)
            {
                w *= i < decoder.Buffer.DecayedLength ? 1 - 0.01 * 0.1 : 1;
                (m, v) = (0.9 * m + 0.1 * g[i], 0.95 * v + 0.05 * g[i] * g[i]);
                w -= 0.01 * (m / (1 - Math.Pow(0.9, t))) / (Math.Sqrt(v / (1 - Math.Pow(0.95, t))) + 1e-8);
            }
            ((double)after[i]).ShouldBe(w, 1e-6);
        }
    }

    /// <summary>A collection in the middle of a step must not free a number that native code still reads.</summary>
    [Fact]
    public async Task Step_WhileGarbageIsCollected_ChangesNoBit()
    {
        var quiet = Train(CancellationToken.None);
        using var done = new CancellationTokenSource();
        var collections = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                GC.Collect(0, GCCollectionMode.Forced, blocking: true);
                GC.WaitForPendingFinalizers();
            }
        });

        var disturbed = Train(done.Token);

        await done.CancelAsync();
        await collections;
        disturbed.ShouldBe(quiet);

        static string Train(CancellationToken cancellationToken)
        {
            using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
            using var optimizer = new AdamW(decoder.Buffer) { WeightDecay = 0.1, UsesKernels = false };
            using var untracked = no_grad();
            for (var step = 0; step < 1500 && !cancellationToken.IsCancellationRequested; step++)
            {
                decoder.Buffer.Gradients!.fill_(0.5f);
                optimizer.Step(1e-4, gradientClip: 0);
            }
            return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(
                System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(decoder.Buffer.Values.data<float>().ToArray())));
        }
    }

    [Fact]
    public void Step_LargeGradient_IsClippedToTheNorm()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var optimizer = new AdamW(decoder.Buffer) { Beta1 = 0 };
        using var untracked = no_grad();
        decoder.Buffer.Gradients!.fill_(3);

        var norm = optimizer.Step(0, gradientClip: 1);

        norm.ShouldBe(3 * Math.Sqrt(decoder.Buffer.Values.numel()), 0.1);
        using var kept = optimizer.FirstMoment.norm();
        kept.item<float>().ShouldBe(1f, 1e-3f);
    }

    [Fact]
    public void Step_NotFinite_ThrowsAndChangesNothing()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var optimizer = new AdamW(decoder.Buffer);
        using var untracked = no_grad();
        using var before = decoder.Buffer.Values.clone();
        decoder.Buffer.Gradients!.fill_(double.NaN);

        Should.Throw<NotFiniteNumberException>(() => optimizer.Step(0.1, 1));

        decoder.Buffer.Values.bytes.SequenceEqual(before.bytes).ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_FrozenParts_StayAndDoNotCountInTheNorm(bool usesKernels)
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        var length = decoder.Buffer.Values.numel();
        using var optimizer = new AdamW(decoder.Buffer)
        {
            UsesKernels = usesKernels, Frozen = [new BufferRange(0, 16), new BufferRange(64, length - 64)], Late = [new LateStart(0, 48, 0)],
        };
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var before = decoder.Buffer.Values.data<float>().ToArray();
        decoder.Buffer.Gradients!.fill_(2);

        var norm = optimizer.Step(0.01, gradientClip: 0);

        norm.ShouldBe(2 * Math.Sqrt(48), 1e-3);
        var after = decoder.Buffer.Values.data<float>().ToArray();
        Enumerable.Range(0, (int)length).Where(i => before[i] != after[i]).ShouldBe(Enumerable.Range(16, 48));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_LateStart_UsesItsOwnStepCount(bool usesKernels)
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var optimizer = new AdamW(decoder.Buffer) { WeightDecay = 0, UsesKernels = usesKernels, Steps = 100, Late = [new LateStart(16, 32, 100)] };
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var before = decoder.Buffer.Values.data<float>().ToArray();
        decoder.Buffer.Gradients!.fill_(0.5);

        optimizer.Step(0.01, gradientClip: 0);

        var after = decoder.Buffer.Values.data<float>().ToArray();
        foreach (var (element, steps) in ((int, int)[])[(3, 101), (16, 1), (47, 1), (48, 101)])
        {
            var step = 0.01 * (0.05 / (1 - Math.Pow(0.9, steps))) / (Math.Sqrt(0.0125 / (1 - Math.Pow(0.95, steps))) + 1e-8);
            ((double)before[element] - after[element]).ShouldBe(step, 1e-6);
        }
    }
}
