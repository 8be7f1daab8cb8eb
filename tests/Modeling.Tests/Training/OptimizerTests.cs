using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

/// <summary>What every optimizer does alike, and how near the small ones come to float32 over 300 steps.</summary>
public sealed class OptimizerTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private const int Steps = 300;

    // Large enough that attention's matrices, (64, 64), and experts' are in eight bits.
    private static ModelConfig Config =>
        ModelConfig.Tiny(vocabulary: 40) with { Layers = 1, HiddenSize = 64, HeadSize = 16, ExpertSize = 32, Experts = 2, ExpertsPerToken = 1 };

    private static readonly Lazy<double[]> Float32 = new(() => Train(OptimizerNames.AdamW, hasBf16Masters: false));

    public static TheoryData<string> Names => [OptimizerNames.AdamW, OptimizerNames.AdamW8Bit, OptimizerNames.Muon];

    /// <summary>Loss over the last 50 of 300 steps within 3 % of that of float32 with the same data.</summary>
    [Theory]
    [InlineData(OptimizerNames.AdamW8Bit, false)]
    [InlineData(OptimizerNames.AdamW, true)]
    public void Train_300Steps_EndsNearFloat32(string name, bool hasBf16Masters)
    {
        var expected = Float32.Value;

        var found = Train(name, hasBf16Masters);

        expected[0].ShouldBeGreaterThan(3.4);            // ln 40 = 3.7
        expected[^50..].Average().ShouldBeLessThan(1.6); // and it has learned
        output.WriteLine($"the last 50: {found[^50..].Average():f4} against {expected[^50..].Average():f4} in float32");
        (found[^50..].Average() / expected[^50..].Average()).ShouldBe(1, 0.03);
        found.Zip(expected, (f, e) => Math.Abs(f - e)).Max().ShouldBeLessThan(0.4);
    }

    [Fact]
    public void Train_Muon_Learns() => Train(OptimizerNames.Muon, hasBf16Masters: false)[^50..].Average().ShouldBeLessThan(1.6);

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_NormAboveTheLimit_OnlyClearsTheGradients(string name)
    {
        using var decoder = MoeDecoder.Create(Config, 1);
        using var optimizer = Create(name, decoder);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var before = decoder.Buffer.Values.detach().clone();
        decoder.Buffer.Gradients!.fill_(1);

        var norm = optimizer.Step(0.1, gradientClip: 1, mostNorm: 10);

        norm.ShouldBe(Math.Sqrt(decoder.Buffer.Values.numel()), 0.1);
        optimizer.Steps.ShouldBe(0);
        decoder.Buffer.Values.bytes.SequenceEqual(before.bytes).ShouldBeTrue();
        decoder.Buffer.Gradients!.count_nonzero().item<long>().ShouldBe(0);
    }

    [Theory]
    [InlineData(OptimizerNames.AdamW, true)]
    [InlineData(OptimizerNames.AdamW, false)]
    [InlineData(OptimizerNames.AdamW8Bit, false)]
    public void Step_RatesOfParts_MultiplyTheStep(string name, bool usesKernels)
    {
        using var decoder = MoeDecoder.Create(Config, 1);
        var query = decoder.Parameters.Single(p => p.Name == TensorNames.Attention(0, "q_proj.weight")).Range;
        using var optimizer = Create(name, decoder);
        if (optimizer is AdamW adamW)
            adamW.UsesKernels = usesKernels;
        optimizer.Rates = [new RatedRange(query.First + 100, 50, 2), new RatedRange(query.First + 150, 1000, 0.5)];
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        decoder.Buffer.Values.fill_(0); // decay changes nothing
        decoder.Buffer.Gradients!.fill_(0.01);

        optimizer.Step(0.01, 0);

        var after = decoder.Buffer.Values.data<float>().ToArray();
        foreach (var (element, factor) in ((long, double)[])[(0, 1), (99, 1), (100, 2), (149, 2), (150, 0.5), (1149, 0.5), (1150, 1)])
            ((double)after[query.First + element]).ShouldBe(-0.01 * factor, 1e-6, $"element {element}");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SetMoments_WhatMomentsGave_ContinuesInTheSameBits(string name)
    {
        using var first = MoeDecoder.Create(Config, 1);
        using var optimizer = Create(name, first);
        Run(first, optimizer, 0, 3);
        using var second = MoeDecoder.Create(Config, 1);
        using var restored = Create(name, second);
        using (no_grad())
            second.Buffer.Values.copy_(first.Buffer.Values);
        restored.Steps = optimizer.Steps;
        foreach (var parameter in second.Parameters)
        {
            foreach (var moment in Enum.GetValues<Moment>())
            {
                using var values = optimizer.Moments(moment, parameter.Range);
                if (values is not null)
                    restored.SetMoments(moment, parameter, values);
            }
        }

        Run(first, optimizer, 3, 2);
        Run(second, restored, 3, 2);

        second.Buffer.Values.bytes.SequenceEqual(first.Buffer.Values.bytes).ShouldBeTrue();
    }

    [Fact]
    public void StateBytes_IsWhatIsKept()
    {
        using var decoder = MoeDecoder.Create(Config, 1);
        using var coded = Create(OptimizerNames.AdamW8Bit, decoder);
        using var muon = Create(OptimizerNames.Muon, decoder);

        AdamW8Bit.StateBytes(Config, routerBias: false).ShouldBe(BytesOf(coded));
        Muon.Bytes(Config, routerBias: false).State.ShouldBe(BytesOf(muon));
        ((double)AdamW8Bit.StateBytes(Config with { HiddenSize = 1024, HeadSize = 256, ExpertSize = 1024 }, false)
            / (Config with { HiddenSize = 1024, HeadSize = 256, ExpertSize = 1024 }).TotalParameters).ShouldBe(2.03, 0.03);

        long BytesOf(IOptimizer optimizer)
        {
            var sum = 0L;
            foreach (var (_, value) in decoder.Parameters.SelectMany(optimizer.State))
            {
                sum += value.numel() * value.element_size();
                value.Dispose();
            }
            return sum;
        }
    }

    private static IOptimizer Create(string name, MoeDecoder decoder) => name switch
    {
        OptimizerNames.AdamW8Bit => new AdamW8Bit(decoder.Buffer, new AdamWSettings(), new StochasticRounding(1)),
        OptimizerNames.Muon => new Muon(decoder.Buffer, new AdamWSettings(), new StochasticRounding(1)),
        _ => new AdamW(decoder.Buffer) { Rounding = new StochasticRounding(1) },
    };

    private static double[] Train(string name, bool hasBf16Masters)
    {
        using var decoder = MoeDecoder.Create(Config, 1, dtype: hasBf16Masters ? bfloat16 : float32);
        decoder.ComputeType = float32;
        using var optimizer = Create(name, decoder);
        return Run(decoder, optimizer, 0, Steps);
    }

    // Rows of 16 tokens in which every token names the next but for one in eight.
    private static double[] Run(MoeDecoder decoder, IOptimizer optimizer, int first, int steps)
    {
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings { Balance = BalanceMethod.None });
        return
        [
            .. Enumerable.Range(first, steps).Select(step =>
            {
                using var scope = NewDisposeScope();
                var random = new KeyedTokens(step);
                var rows = Enumerable.Range(0, 4).SelectMany(_ => random.Row(17)).ToArray();
                return trainer.Step([tensor(rows, [4, 17])], 3e-3).Loss;
            }),
        ];
    }

    private sealed class KeyedTokens(int step)
    {
        private int _next;

        public IEnumerable<long> Row(int length)
        {
            var token = Draw(40);
            for (var i = 0; i < length; i++)
            {
                yield return token;
                token = Draw(8) == 0 ? Draw(40) : (token * 7 + 3) % 40;
            }
        }

        private long Draw(int count) => RandomStream.SeedOf(step, $"draw {_next++}") % count;
    }
}
