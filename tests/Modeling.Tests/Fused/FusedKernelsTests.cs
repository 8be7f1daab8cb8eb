using Espalier.Modeling.Training;
using Espalier.Modeling.Fused;
using Espalier.Modeling.Runtime;
using Espalier.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Fused;

/// <summary>
/// The fused kernels against their plain twin. Tolerances: logits 1e-4 of the largest, each gradient 1e-4 of its norm:
/// both sides round in float32, in different orders.
/// </summary>
public class FusedKernelsTests
{
    public static TheoryData<string> Variants =>
    [
        "plain", "normalized", "sigmoid", "tied", "grouped-query", "head-norm", "no-norm", "shared", "dense-first", "scaled", "scaled-sigmoid", "dense",
        "wide-heads", "all-experts", "biased", "siblings", "uneven-siblings", "deep-products", "long",
    ];

    [Fact]
    public void Kernels_OnThisMachine_AreInUse()
    {
        FusedKernels.IsAvailable.ShouldBeTrue();
        TorchRuntime.NumericsClass.ShouldContain($"kernels={KernelLibrary.Current.InstructionSet}-");
    }

    [Theory, MemberData(nameof(Variants))]
    public void Forward_Kernels_EqualsPlain(string variant)
    {
        using var decoder = FusedModels.Create(variant);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var tokens = FusedModels.Batch(variant).narrow(1, 0, FusedModels.Length(variant)).contiguous();

        var fused = decoder.Forward(tokens);
        decoder.UsesKernels = false;
        var plain = decoder.Forward(tokens);

        Relative(fused.Logits, plain.Logits).ShouldBeLessThan(1e-4);
        foreach (var (a, b) in fused.Routing.Zip(plain.Routing))
        {
            a.Selected.equal(b.Selected).all().item<bool>().ShouldBeTrue();
            a.Counts.ShouldBe(b.Counts);
            foreach (var (x, y) in ((Tensor, Tensor)[])[(a.Input, b.Input), (a.Logits, b.Logits), (a.Scores, b.Scores), (a.Gates, b.Gates)])
                Relative(x, y).ShouldBeLessThan(1e-4);
        }
    }

    [Theory, MemberData(nameof(Variants))]
    public void Gradients_Kernels_EqualPlain(string variant)
    {
        using var decoder = FusedModels.Create(variant);
        using var optimizer = new AdamW(decoder.Buffer);
        var settings = new TrainerSettings { Balance = BalanceMethod.Loss, BalanceCoefficient = 0.1, RouterZCoefficient = 0.05 };
        var trainer = new DecoderTrainer(decoder, optimizer, settings);
        using var scope = NewDisposeScope();

        var (fusedCounts, plainCounts) = (Counts(decoder), Counts(decoder));
        var fused = decoder.TryAccumulate(FusedModels.Batch(variant), fusedCounts, 0.5, settings)!.Value;
        var gradients = decoder.Buffer.Gradients!.clone();
        decoder.Buffer.Gradients!.zero_();
        decoder.UsesKernels = false;
        var plain = trainer.Accumulate(FusedModels.Batch(variant), plainCounts, 0.5, observer: null);

        fused.Loss.ShouldBe(plain.Loss, 1e-5 * plain.Loss);
        fused.Balance.ShouldBe(plain.Balance, 1e-5 * plain.Balance + 1e-12);
        fused.RouterZ.ShouldBe(plain.RouterZ, 1e-5 * plain.RouterZ + 1e-12);
        fusedCounts.ShouldBe(plainCounts);
        foreach (var parameter in decoder.Parameters)
        {
            var (a, b) = (Slice(gradients, parameter.Value), Slice(decoder.Buffer.Gradients!, parameter.Value));
            ((double)(a - b).norm().item<float>() / (b.norm().item<float>() + 1e-12)).ShouldBeLessThan(1e-4, parameter.Name);
        }
    }

    /// <summary>Rounding moves them no farther from float32 than it moves the plain path in bf16, which rounds more.</summary>
    [Bf16Theory, MemberData(nameof(Variants))]
    public void Gradients_Bf16Kernels_AreAsNearToFloat32AsPlainBf16(string variant)
    {
        using var decoder = FusedModels.Create(variant);
        using var optimizer = new AdamW(decoder.Buffer);
        var settings = new TrainerSettings { Balance = BalanceMethod.Loss, BalanceCoefficient = 0.1, RouterZCoefficient = 0.05 };
        var trainer = new DecoderTrainer(decoder, optimizer, settings);
        using var scope = NewDisposeScope();

        var fused = Gradients(ScalarType.BFloat16, kernels: true, out var loss);
        var rounded = Gradients(ScalarType.BFloat16, kernels: false, out _);
        var exact = Gradients(ScalarType.Float32, kernels: false, out var expected);

        loss.ShouldBe(expected, 2e-3 * expected);
        var (own, plain) = ((fused - exact).norm().item<float>(), (rounded - exact).norm().item<float>());
        own.ShouldBeLessThan(1.1f * plain);
        (own / exact.norm().item<float>()).ShouldBeInRange(1e-5f, 0.06f); // it does round: 0.2 % a factor, and a token may choose another expert

        Tensor Gradients(ScalarType type, bool kernels, out double loss)
        {
            (decoder.ComputeType, decoder.UsesKernels) = (type, kernels);
            decoder.Buffer.Gradients!.zero_();
            loss = kernels
                ? decoder.TryAccumulate(FusedModels.Batch(variant), Counts(decoder), 0.5, settings)!.Value.Loss
                : trainer.Accumulate(FusedModels.Batch(variant), Counts(decoder), 0.5, observer: null).Loss;
            return decoder.Buffer.Gradients!.clone();
        }
    }

    [Bf16Theory]
    [InlineData(1, 1, 1)]
    [InlineData(19, 300, 37)]
    [InlineData(200, 1030, 130)]
    [InlineData(85, 511, 64)]
    public unsafe void Product_Bf16_IsThatOfRoundedFactors(int rows, int depth, int columns)
    {
        using var scope = NewDisposeScope();
        var (x, weights) = (randn([rows, depth], generator: RandomStream.For(1, "x")), randn([columns, depth], generator: RandomStream.For(1, "w")));
        var result = zeros(rows, columns);

        FusedKernels.Product(
            2, TensorMemory.Address<float>(x), rows, depth, TensorMemory.Address<float>(weights), columns, TensorMemory.Address<float>(result), bf16: 1);

        var expected = Rounded(x).matmul(Rounded(weights).t());
        (result.to(float64) - expected).abs().max().item<double>().ShouldBeLessThan(1e-6 * depth);

        static Tensor Rounded(Tensor t) => t.to(bfloat16).to(float64);
    }

    [Theory]
    [InlineData("biased")]
    [InlineData("shared")]
    [InlineData("dense-first")]
    [InlineData("dense")]
    public void Observer_Kernels_SeesWhatPlainShows(string variant)
    {
        using var decoder = FusedModels.Create(variant);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var tokens = FusedModels.Batch(variant).narrow(1, 0, 21).contiguous();
        var (fused, plain) = (new RecordingObserver(), new RecordingObserver());

        var logits = decoder.Forward(tokens, fused).Logits;
        decoder.UsesKernels = false;
        var expected = decoder.Forward(tokens, plain).Logits;

        Relative(logits, expected).ShouldBeLessThan(1e-4);
        fused.Seen.Keys.ShouldBe(plain.Seen.Keys);
        foreach (var (name, value) in plain.Seen)
            Relative(fused.Seen[name], value).ShouldBeLessThan(1e-4, name);
    }

    [Fact]
    public void AdamW_Kernels_EqualsPlain()
    {
        using var first = FusedModels.Create("plain");
        using var second = FusedModels.Create("plain");
        using var fused = new AdamW(first.Buffer);
        using var plain = new AdamW(second.Buffer) { UsesKernels = false };
        using var scope = NewDisposeScope();

        for (var step = 0; step < 5; step++)
        {
            var gradient = randn(first.Buffer.Values.numel(), generator: RandomStream.For(step, "gradient"));
            first.Buffer.Gradients!.copy_(gradient);
            second.Buffer.Gradients!.copy_(gradient);
            fused.Step(1e-2, gradientClip: step % 2).ShouldBe(plain.Step(1e-2, gradientClip: step % 2), 1e-2);
        }

        Relative(first.Buffer.Values, second.Buffer.Values).ShouldBeLessThan(1e-5);
        Relative(fused.SecondMoment, plain.SecondMoment).ShouldBeLessThan(1e-5);
        first.Buffer.Gradients!.abs().sum().item<float>().ShouldBe(0);
    }

    [Fact]
    public void Step_TokenOutsideVocabulary_IsRefused()
    {
        using var decoder = FusedModels.Create("plain");
        using var optimizer = new AdamW(decoder.Buffer);
        using var scope = NewDisposeScope();

        Should.Throw<ArgumentException>(() => decoder.TryAccumulate(tensor(new long[,] { { 1, 40, 2 } }), Counts(decoder), 1, new TrainerSettings()))
            .Message.ShouldContain("token id 40 is outside the vocabulary of 40");
    }

    private static long[][] Counts(MoeDecoder decoder) => [.. Enumerable.Range(0, decoder.Config.Layers).Select(_ => new long[decoder.Config.Experts])];

    private static Tensor Slice(Tensor flat, Tensor weight) => flat.narrow(0, weight.storage_offset(), weight.numel());

    private static double Relative(Tensor a, Tensor b) => ((a - b).abs().max() / (b.abs().max() + 1e-12)).item<float>();

    private sealed class RecordingObserver : IMoeObserver
    {
        public SortedDictionary<string, Tensor> Seen { get; } = new(StringComparer.Ordinal);

        public void OnAttention(AttentionTrace trace) => Keep($"{trace.Layer} attention", trace.Input, trace.Context);

        public void OnRouting(RoutingTrace trace) => Keep($"{trace.Layer} routing", trace.Logits, trace.Gates);

        public Tensor OnExpert(ExpertTrace trace)
        {
            Keep($"{trace.Layer} expert {trace.Expert}", trace.Tokens.to(float32), trace.Gates, trace.Input, trace.Hidden, trace.Output);
            return trace.Expert == 1 ? trace.Output * 0.5 : trace.Output;
        }

        public void OnMlp(MlpTrace trace) => Keep($"{trace.Layer} mlp {trace.Prefix}", trace.Input, trace.Hidden);

        public void OnBlock(int layer, Tensor residual, Tensor output) => Keep($"{layer} block", residual, output);

        private void Keep(string name, params Tensor[] values)
        {
            for (var i = 0; i < values.Length; i++)
                Seen[$"{name} {i}"] = values[i].detach().clone().MoveToOuterDisposeScope().DetachFromDisposeScope();
        }
    }
}
