using Espalier.Modeling;
using Espalier.Quantizer.Calibration;
using Espalier.Modeling.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Calibration;

public sealed class HessianCollectorTests
{
    private static readonly ModelConfig Config = ModelConfig.Tiny() with { Experts = 16, Layers = 1 };

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void Find_Experts_EqualsSumsOverWhatEachSaw(bool allTokens, bool weightByGate)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (collector, reference) = (new HessianCollector(MoeDecoder.Create(Config, 1), new HessianRequest(allTokens, weightByGate)), new Reference());
        using var decoder = MoeDecoder.Create(Config, 1);
        foreach (var batch in Batches())
        {
            collector.Run(batch);
            decoder.RunLayer(0, batch, reference);
        }

        for (var expert = 0; expert < Config.Experts && !allTokens; expert++)
        {
            var seen = reference.Of(expert);
            var moments = collector.Find(TensorNames.Expert(0, expert, "down"));
            if (seen is not ({ } hidden, { } gates))
            {
                moments.ShouldBeNull();
                continue;
            }
            var x = (weightByGate ? hidden * gates.unsqueeze(1) : hidden).to(float64);
            var expected = x.transpose(0, 1).matmul(x) * (2.0 / x.shape[0]);
            (moments!.Hessian - expected).abs().max().item<double>().ShouldBeLessThan(1e-5 * expected.abs().max().item<double>() + 1e-12);
            moments.Tokens.ShouldBe(x.shape[0]);
        }
        var attention = collector.Find(TensorNames.Layer(0) + "self_attn.o_proj.weight")!;
        (attention.Tokens, attention.CalibrationTokens).ShouldBe((3 * 8, 3 * 8));
        if (allTokens)
            collector.Find(TensorNames.Expert(0, 3, "up"))!.Tokens.ShouldBe(3 * 8);
        collector.Dispose();
    }

    [Fact]
    public void Find_ExpertAfterExpert_KeepsTheSumsOfOne()
    {
        using var collector = new HessianCollector(MoeDecoder.Create(Config, 1), new HessianRequest(AllTokens: true, WeightByGate: false));
        using (NewDisposeScope())
        {
            foreach (var batch in Batches())
                collector.Run(batch);
        }
        var before = 0L;
        for (var expert = 0; expert < Config.Experts; expert++)
        {
            using (NewDisposeScope())
            {
                foreach (var projection in (string[])["gate", "up", "down"])
                    collector.Find(TensorNames.Expert(0, expert, projection)).ShouldNotBeNull();
            }
            if (expert > 0)
                TorchRuntime.LiveTensorCount.ShouldBe(before);
            before = TorchRuntime.LiveTensorCount;
        }
    }

    private static IEnumerable<Tensor> Batches() => Enumerable.Range(0, 3).Select(i => randn(1, 8, Config.HiddenSize, generator: new Generator((ulong)i + 1)));

    private sealed class Reference : IMoeObserver
    {
        private readonly Dictionary<int, List<(Tensor Hidden, Tensor Gates)>> _seen = [];

        public (Tensor?, Tensor?) Of(int expert) =>
            _seen.TryGetValue(expert, out var seen) ? (cat([.. seen.Select(s => s.Hidden)]), cat([.. seen.Select(s => s.Gates)])) : (null, null);

        public Tensor OnExpert(ExpertTrace trace)
        {
            if (!_seen.TryGetValue(trace.Expert, out var seen))
                _seen[trace.Expert] = seen = [];
            seen.Add((trace.Hidden.clone().DetachFromDisposeScope(), trace.Gates.clone().DetachFromDisposeScope()));
            return trace.Output;
        }
    }
}
