using Espalier.Modeling;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Methods;

public sealed class SmoothingTests : IDisposable
{
    private const double Alpha = 0.6;

    private static readonly ModelConfig Config = ModelConfig.Tiny() with { Layers = 1 };
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Of_TwoChannels_AreTheQuotientsOfPowers()
    {
        var scales = SmoothingScales.Of(tensor(new float[] { 8, 2 }), tensor(new float[] { 0.5f, 1 }), Alpha);

        // 8^0.6 / 0.5^0.4 and 2^0.6 / 1^0.4
        scales[0].item<float>().ShouldBe(4.594793f, 1e-5f);
        scales[1].item<float>().ShouldBe(1.515717f, 1e-5f);
    }

    [Fact]
    public void Of_ChannelWithoutInputsOrWeights_IsLeftAsItIs() =>
        SmoothingScales.Of(tensor(new float[] { 0, 3, 0 }), tensor(new float[] { 2, 0, 0 }), 0.5).data<float>().ToArray().ShouldBe([1, 1, 1]);

    [Theory]
    [InlineData("input_layernorm.weight")]
    [InlineData("post_attention_layernorm.weight")]
    public void FindScales_SmoothQuant_TakesPeaksOfAllTokensAndAllReaders(string norm)
    {
        var (input, seen, weights) = Group(norm);

        var found = SmoothQuant.FindScales(input, Alpha);

        var inputs = norm.StartsWith("input", StringComparison.Ordinal) ? seen.Of("model.layers.0.self_attn.q_proj.weight") : seen.Block;
        ShouldBe(found.Scales!, Scales(inputs, input.Group.Coded.SelectMany(name => SeenInputs.Rows(weights[name]))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FindScales_EaQuant_TakesTheLargestOfTheExpertsOwn(bool withRouter)
    {
        var (input, seen, weights) = Group("post_attention_layernorm.weight");

        var found = EaQuant.FindScales(input, new EaQuant.Settings { Alpha = Alpha, WithRouter = withRouter });

        var own = Enumerable.Range(0, Config.Experts).Select(expert => Scales(
            seen.Of(TensorNames.Expert(0, expert, "gate")),
            new[] { "gate", "up" }.SelectMany(projection => SeenInputs.Rows(weights[TensorNames.Expert(0, expert, projection)])))).ToList();
        if (withRouter)
            own.Add(Scales(seen.Block, SeenInputs.Rows(weights[TensorNames.Router(0)])));
        var expected = Enumerable.Range(0, Config.HiddenSize).Select(j => own.Max(scales => scales[j])).ToArray();
        ShouldBe(found.Scales!, expected);
        own.Count(scales => scales.Zip(expected).Any(pair => pair.First == pair.Second)).ShouldBeGreaterThan(1); // not one expert's alone
    }

    [Fact]
    public void FindScales_HiddenVectorOfAnExpert_IsLeftAlone()
    {
        var (input, _, _) = Group(norm: null);

        SmoothQuant.FindScales(input, Alpha).ShouldBe(FoundScales.None);
        EaQuant.FindScales(input, new EaQuant.Settings()).ShouldBe(FoundScales.None);
    }

    private (FoldedInput Input, SeenInputs Seen, Dictionary<string, Tensor> Weights) Group(string? norm)
    {
        using var untracked = no_grad();
        var (seen, decoder) = (new SeenInputs(), Model());
        var collector = new HessianCollector(Model(), new HessianRequest(AllTokens: false, WeightByGate: false));
        for (var i = 0; i < 3; i++)
        {
            var batch = randn(1, 24, Config.HiddenSize, generator: new Generator((ulong)i + 1));
            collector.Run(batch);
            decoder.RunLayer(0, batch, seen);
        }
        var weights = decoder.ExportWeights().ToDictionary(weight => weight.Name, weight => weight.Value);
        var group = FoldGroups.Of(Config, 0, new TargetMatrices(Config, QuantizationTargets.Linear).OfLayer(0), weights.Keys)
            .First(g => norm is null ? g.Maker == TensorNames.Expert(0, 1, "up") : g.Maker == TensorNames.Layer(0) + norm);
        return (new FoldedInput(group, name => weights[name].clone(), collector, ScalarType.Float32), seen, weights);
    }

    private static MoeDecoder Model()
    {
        using var untracked = no_grad();
        var decoder = MoeDecoder.Create(Config, 1);
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using var scope = NewDisposeScope();
            if (name.EndsWith("layernorm.weight", StringComparison.Ordinal))
                value.mul_(linspace(-2, 1.5, value.shape[0]).exp());
            else if (name.EndsWith("mlp.gate.weight", StringComparison.Ordinal))
                value.mul_(30);
        }
        return decoder;
    }

    private static double[] Scales(IReadOnlyList<double[]> inputs, IEnumerable<double[]> rows)
    {
        var weights = rows.ToList();
        return [.. Enumerable.Range(0, weights[0].Length).Select(j =>
            Math.Pow(inputs.Max(x => Math.Abs(x[j])), Alpha) / Math.Pow(weights.Max(row => Math.Abs(row[j])), 1 - Alpha))];
    }

    private static void ShouldBe(Tensor scales, double[] expected)
    {
        var found = scales.data<float>().ToArray();
        for (var j = 0; j < expected.Length; j++)
            ((double)found[j]).ShouldBe(expected[j], 1e-4 * expected[j], $"{j}");
    }
}
