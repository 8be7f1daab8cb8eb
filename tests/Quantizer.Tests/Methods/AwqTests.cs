using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Methods;

public sealed class AwqTests : IDisposable
{
    private const int Layer = 0, Tries = 8;

    private static readonly ModelConfig Config = ModelConfig.Tiny() with { Layers = 1 };
    private static readonly QuantizationScheme Scheme = new(4, 8, Symmetric: true);
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Candidate_WithoutDuoScaling_IsThePowerOfTheMean()
    {
        // sqrt(4), sqrt(1), sqrt(0.25) = 2, 1, 0.5; sqrt(2 * 0.5) = 1
        var scales = AwqScales.Candidate(tensor(new float[] { 4, 1, 0.25f }), null, 0.5);

        scales.data<float>().ToArray().ShouldBe([2, 1, 0.5f]);
    }

    [Fact]
    public void Candidate_WithDuoScaling_IsDividedByTheWeights()
    {
        // 2 / (0.5 + 1e-4) and 1 / (1 + 1e-4), over the root of their product
        var scales = AwqScales.Candidate(tensor(new float[] { 4, 1 }), tensor(new float[] { 0.25f, 1 }), 0.5);

        var (first, second) = (2 / 0.5001, 1 / 1.0001);
        scales[0].item<float>().ShouldBe((float)(first / Math.Sqrt(first * second)), 1e-5f);
        scales[1].item<float>().ShouldBe((float)(second / Math.Sqrt(first * second)), 1e-5f);
    }

    [Fact]
    public void Candidate_ChannelThatIsNeverUsed_GetsTheLeastScale()
    {
        var scales = AwqScales.Candidate(tensor(new float[] { 1, 0 }), null, 0.5);

        (scales[0] / scales[1]).item<float>().ShouldBe(1e4f, 1);
    }

    [Theory]
    [InlineData("post_attention_layernorm.weight", true)]
    [InlineData("post_attention_layernorm.weight", false)]
    [InlineData("input_layernorm.weight", true)]
    [InlineData("self_attn.v_proj.weight", true)]
    [InlineData("mlp.experts.1.up_proj.weight", true)]
    public void Find_AnyGroup_IsTheBestOfAllCandidatesByAPlainComputation(string maker, bool duo)
    {
        using var untracked = no_grad();
        var seen = new SeenInputs();
        using var collector = new HessianCollector(Model(), new HessianRequest(AllTokens: false, WeightByGate: false));
        using var decoder = Model();
        for (var i = 0; i < 3; i++)
        {
            var batch = randn(1, 24, Config.HiddenSize, generator: new Generator((ulong)i + 1));
            collector.Run(batch);
            decoder.RunLayer(0, batch, seen);
        }
        var weights = decoder.ExportWeights().ToDictionary(weight => weight.Name, weight => weight.Value);
        var group = FoldGroups.Of(Config, Layer, new TargetMatrices(Config, QuantizationTargets.Linear).OfLayer(Layer), weights.Keys)
            .Single(g => g.Maker == TensorNames.Layer(Layer) + maker);

        var input = new FoldedInput(group, name => weights[name].clone(), collector, ScalarType.Float32);

        var found = AwqScales.Find(input, Scheme with { Symmetric = false }, Tries, duo, 0);

        var errors = PlainErrors(group, weights, seen, duo);
        found.ErrorWithout!.Value.ShouldBe(errors[^1], 1e-3 * errors[^1]);
        found.Error!.Value.ShouldBe(errors.Min(), 1e-3 * errors.Min());
        found.Error.Value.ShouldBeLessThan(0.98 * found.ErrorWithout.Value);
        errors[(int)Math.Round(found.Exponent!.Value * Tries)].ShouldBe(errors.Min(), 1e-3 * errors.Min());
    }

    [Fact]
    public void Find_NoTokenReachedAnyReader_LeavesTheGroup()
    {
        using var collector = new HessianCollector(Model(), new HessianRequest(AllTokens: false, WeightByGate: false));
        var group = new FoldGroup { Coded = [TensorNames.Expert(0, 1, "down")], Maker = TensorNames.Expert(0, 1, "up"), MakerIsNorm = false };

        AwqScales.Find(new FoldedInput(group, _ => ones(32, 24), collector, ScalarType.Float32), Scheme, Tries, duo: true, 0)
            .ShouldBe(new FoundScales(null, null, null, null));
    }

    [Fact]
    public void Clip_ExtremeOfAChannelThatIsHardlyUsed_IsGivenUpForTheOthers()
    {
        // One group of 8: seven weights around 1 on inputs of size 1, and a 12 on an input of size 0.01.
        var weight = tensor(new float[] { 0.9f, -1.1f, 1, 0.7f, -0.8f, 1.2f, -1, 12 }, [1, 8]);
        var hessian = diag(tensor(new double[] { 2, 2, 2, 2, 2, 2, 2, 2e-4 }));

        var matrix = new MatrixToQuantize("mlp.down_proj.weight", weight, ScalarType.Float32, new InputMoments(hessian, 100, 100));

        var quantized = Awq.Quantize(matrix, Scheme, new());

        quantized.Grid.Scales.item<float>().ShouldBeLessThan(12 / 7.5f * 0.96f);
        quantized.Record.Objective!.Value.ShouldBe(PlainClipping(weight, hessian), 1e-5);
        quantized.Record.Objective.Value.ShouldBeLessThan(0.9 * quantized.Record.ObjectiveOfRtn!.Value);
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj.weight")]
    [InlineData("model.layers.0.self_attn.k_proj.weight")]
    public void Quantize_QueriesAndKeys_AreNotClipped(string name)
    {
        var weight = tensor(new float[] { 0.9f, -1.1f, 1, 0.7f, -0.8f, 1.2f, -1, 12 }, [1, 8]);
        var hessian = diag(tensor(new double[] { 2, 2, 2, 2, 2, 2, 2, 2e-4 }));

        var quantized = Awq.Quantize(new MatrixToQuantize(name, weight, ScalarType.Float32, new InputMoments(hessian, 100, 100)), Scheme, new());

        quantized.Grid.Scales.item<float>().ShouldBe(12 / 7.5f);
    }

    [Fact]
    public void Quantize_TooFewTokens_FallsBackAndSaysSo()
    {
        var matrix = new MatrixToQuantize("a.weight", randn(4, 8), ScalarType.Float32, new InputMoments(eye(8, dtype: float64), 3, 1000));

        Awq.Quantize(matrix, Scheme, new()).Record.Fallback.ShouldBe("3 calibration tokens are too few");
    }

    // Inputs and weights of channels that differ by much, so that scales have something to gain.
    private static MoeDecoder Model()
    {
        using var untracked = no_grad();
        var decoder = MoeDecoder.Create(Config, 1);
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using var scope = NewDisposeScope();
            if (name.EndsWith("layernorm.weight", StringComparison.Ordinal))
                value.mul_(linspace(-2, 1.5, value.shape[0]).exp());
            else if (value.dim() == 2)
                value.mul_(10 * (randn(value.shape[0], 1, generator: new Generator(9)) * 0.8f).exp());
        }
        return decoder;
    }

    // Asymmetric codes, since the extreme of a symmetric group is a tie that float32 rounds either way.
    // The whole of the method in float64 arrays, from the inputs themselves.
    private static double[] PlainErrors(FoldGroup group, Dictionary<string, Tensor> weights, SeenInputs seen, bool duo)
    {
        var readers = group.Coded.Select(name => (Weight: SeenInputs.Rows(weights[name]), Inputs: seen.Of(name))).ToList();
        var all = group.Coded[0].Contains("experts", StringComparison.Ordinal) && !group.Coded[0].EndsWith("down_proj.weight", StringComparison.Ordinal)
            ? seen.Block : readers[0].Inputs;
        var channels = readers[0].Weight[0].Length;
        var (mean, share, rows) = (new double[channels], new double[channels], readers.Sum(r => r.Weight.Length));
        for (var j = 0; j < channels; j++)
        {
            mean[j] = all.Average(x => Math.Abs(x[j]));
            foreach (var row in readers.SelectMany(r => r.Weight))
                share[j] += Math.Abs(row[j]) / (Enumerable.Range(j / 8 * 8, 8).Max(i => Math.Abs(row[i])) + 1e-6) / rows;
        }
        return [.. Enumerable.Range(0, Tries + 1).Select(Error)];

        double Error(int i)
        {
            var exponent = (double)i / Tries;
            var scales = Enumerable.Range(0, channels).Select(j => i == Tries ? 1
                : Math.Max(1e-4, Math.Pow(mean[j], exponent) / (duo ? Math.Pow(share[j], 1 - exponent) + 1e-4 : 1))).ToArray();
            var centre = Math.Sqrt(scales.Max() * scales.Min());
            var sum = 0.0;
            foreach (var (weight, inputs) in readers)
            {
                foreach (var row in weight)
                {
                    var difference = Rounded([.. row.Select((w, j) => w * scales[j] / centre)]).Select((w, j) => row[j] - w / (scales[j] / centre)).ToArray();
                    sum += inputs.Sum(x => Math.Pow(x.Zip(difference, (a, b) => a * b).Sum(), 2));
                }
            }
            return sum;
        }
    }

    private static IEnumerable<double> Rounded(double[] row) => row.Chunk(8).SelectMany(group =>
    {
        var (low, high) = (Math.Min(group.Min(), 0), Math.Max(group.Max(), 0));
        var scale = (high - low) / 15;
        var zero = Math.Clamp(Math.Round(-8 - low / scale), -8, 7);
        return group.Select(w => scale * (Math.Clamp(Math.Round(w / scale) + zero, -8, 7) - zero));
    });

    // One row, one group: every ratio by hand.
    private static double PlainClipping(Tensor weight, Tensor hessian)
    {
        var (row, sizes) = (SeenInputs.Rows(weight)[0], hessian.diagonal().data<double>().ToArray());
        return Enumerable.Range(0, 10).Min(i =>
        {
            var scale = (1 - 0.05 * i) * row.Max(Math.Abs) / 7.5;
            return row.Select((w, j) => sizes[j] * Math.Pow(w - scale * Math.Clamp(Math.Round(w / scale), -8, 7), 2)).Sum();
        });
    }
}
