using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class DistillationTests
{
    public static TheoryData<string, double, bool> Students => new()
    {
        { "plain", 0, false }, { "plain", 0.7, true }, { "dense", 0.7, false }, { "tied", 0, true }, { "shared", 0.7, false }, { "long", 0, false },
    };

    [Fact]
    public void Divergence_SmallLogits_IsTheFormula()
    {
        using var scope = NewDisposeScope();
        var student = zeros(1, 1, 3);
        var teacher = (tensor([0.5f, 0.25f, 0.25f]).log() * 2).view(1, 1, 3);

        var divergence = Losses.Divergence(student, teacher, temperature: 2).item<float>();

        ((double)divergence).ShouldBe(0.5 * Math.Log(1.5) + 0.5 * Math.Log(0.75), 1e-6);
    }

    [Fact]
    public void Mix_SmallLogits_HasTheGradientOfTheFormula()
    {
        const double Weight = 0.3, Temperature = 1.5;
        using var teacher = FusedModels.Create("plain");
        using var scope = NewDisposeScope();
        var stream = teacher.Embed(tensor(new long[,] { { 3, 7 } })); // (1, 2, H)
        double[][] taught = [.. Rows(teacher.Head(stream).detach())];
        var logits = randn([1, 2, taught[0].Length], generator: RandomStream.For(4, "logits")).requires_grad_(true);
        var targets = tensor(new long[,] { { 1, 5 } });
        var distillation = new Distillation(teacher) { Weight = Weight, Temperature = Temperature };

        var (loss, divergence) = distillation.Mix(logits, stream, Losses.CrossEntropy(logits, targets));
        loss.backward();

        var (expected, apart) = (0.0, 0.0);
        double[][] z = [.. Rows(logits.detach())], gradient = [.. Rows(logits.grad!)];
        for (var row = 0; row < 2; row++)
        {
            var (p, soft, q) = (Softmax(z[row], 1), Softmax(z[row], Temperature), Softmax(taught[row], Temperature));
            var target = row == 0 ? 1 : 5;
            var kl = q.Zip(soft, (a, b) => a * Math.Log(a / b)).Sum();
            apart += kl / 2;
            expected += ((1 - Weight) * -Math.Log(p[target]) + Weight * Temperature * Temperature * kl) / 2;
            for (var i = 0; i < p.Length; i++)
                gradient[row][i].ShouldBe(
                    ((1 - Weight) * (p[i] - (i == target ? 1 : 0)) + Weight * Temperature * (soft[i] - q[i])) / 2, 1e-6);
        }
        ((double)loss.item<float>()).ShouldBe(expected, 1e-5);
        ((double)divergence!.item<float>()).ShouldBe(apart, 1e-5);
    }

    [Theory, MemberData(nameof(Students))]
    public void Gradients_Kernels_EqualPlain(string variant, double features, bool recompute)
    {
        using var student = FusedModels.Create(variant);
        using var teacher = Teacher(student.Config);
        using var optimizer = new AdamW(student.Buffer);
        using var scope = NewDisposeScope();
        var settings = new TrainerSettings
        {
            Balance = BalanceMethod.Loss,
            Recompute = recompute,
            Distillation = new Distillation(teacher) { Weight = 0.6, Temperature = 2, Features = features },
        };

        var fused = student.TryAccumulate(FusedModels.Batch(variant), Counts(student), 0.5, settings)!.Value;
        var gradients = student.Buffer.Gradients!.clone();
        student.Buffer.Gradients!.zero_();
        student.UsesKernels = teacher.UsesKernels = false;
        var plain = new DecoderTrainer(student, optimizer, settings).Accumulate(FusedModels.Batch(variant), Counts(student), 0.5, observer: null);

        fused.Loss.ShouldBe(plain.Loss, 1e-5 * plain.Loss);
        fused.Divergence.ShouldBe(plain.Divergence, 1e-4 * plain.Divergence);
        fused.Features.ShouldBe(plain.Features, 1e-4 * plain.Features);
        plain.Divergence.ShouldBeGreaterThan(1e-6);
        Relative(gradients, student.Buffer.Gradients!).ShouldBeLessThan(1e-4);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("dense")]
    public void Gradients_TeacherIsTheStudent_AreZero(string variant)
    {
        using var student = FusedModels.Create(variant);
        using var teacher = FusedModels.Create(variant);
        using var optimizer = new AdamW(student.Buffer);
        using var scope = NewDisposeScope();
        var settings = new TrainerSettings
        {
            Balance = BalanceMethod.None, RouterZCoefficient = 0, Distillation = new Distillation(teacher) { Weight = 1, Temperature = 2, Features = 1 },
        };

        var losses = student.TryAccumulate(FusedModels.Batch(variant), Counts(student), 1, settings)!.Value;

        (losses.Divergence, losses.Features).ShouldBe((0, 0));
        student.Buffer.Gradients!.abs().max().item<float>().ShouldBe(0);
        losses.Loss.ShouldBeGreaterThan(1);
    }

    [Fact]
    public void Gradients_WithoutWeight_AreThoseWithoutATeacher()
    {
        using var student = FusedModels.Create("plain");
        using var teacher = Teacher(student.Config);
        using var optimizer = new AdamW(student.Buffer);
        using var scope = NewDisposeScope();

        student.TryAccumulate(FusedModels.Batch("plain"), Counts(student), 0.5, new TrainerSettings());
        var alone = student.Buffer.Gradients!.clone();
        student.Buffer.Gradients!.zero_();
        student.TryAccumulate(
            FusedModels.Batch("plain"), Counts(student), 0.5, new TrainerSettings { Distillation = new Distillation(teacher) { Weight = 0 } });

        student.Buffer.Gradients!.equal(alone).all().item<bool>().ShouldBeTrue();
    }

    [Bf16Fact]
    public void Gradients_InBf16_AreNearFloat32()
    {
        using var student = FusedModels.Create("plain");
        using var teacher = Teacher(student.Config);
        using var optimizer = new AdamW(student.Buffer);
        using var scope = NewDisposeScope();
        var settings = new TrainerSettings { Distillation = new Distillation(teacher) { Features = 0.5 } };

        var exact = student.TryAccumulate(FusedModels.Batch("plain"), Counts(student), 1, settings)!.Value;
        student.ComputeType = ScalarType.BFloat16;
        var rounded = student.TryAccumulate(FusedModels.Batch("plain"), Counts(student), 1, settings)!.Value;

        rounded.Divergence.ShouldBe(exact.Divergence, 0.05 * exact.Divergence);
        rounded.Divergence.ShouldNotBe(exact.Divergence);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_ManyWithATeacher_ComesNearerAndKeepsNoTensors(bool kernels)
    {
        using var student = FusedModels.Create("plain");
        using var teacher = Teacher(student.Config);
        student.UsesKernels = teacher.UsesKernels = kernels;
        using var optimizer = new AdamW(student.Buffer) { WeightDecay = 0 };
        var trainer = new DecoderTrainer(
            student, optimizer, new TrainerSettings { Distillation = new Distillation(teacher) { Weight = 1, Features = 0.1 } });

        var first = Step();
        var tensors = LiveTensors.CountSettled();
        for (var i = 0; i < 10; i++)
            Step();
        LiveTensors.Count.ShouldBe(tensors);
        var last = Step();

        last.Divergence!.Value.ShouldBeLessThan(first.Divergence!.Value);
        last.FeatureDistance!.Value.ShouldBeLessThan(first.FeatureDistance!.Value);

        StepOutcome Step() => trainer.Step([FusedModels.Batch("plain"), FusedModels.Batch("plain")], 3e-3);
    }

    // Another model of the vocabulary; streams can be compared with it.
    private static MoeDecoder Teacher(ModelConfig student) => MoeDecoder.Create(
        ModelConfig.Tiny(student.VocabularySize) with
        {
            HiddenSize = student.HiddenSize, Layers = student.Layers, Experts = 3, InitializerRange = 0.3, MaxPositions = 512,
        },
        seed: 9);

    private static long[][] Counts(MoeDecoder decoder) => [.. Enumerable.Range(0, decoder.Config.Layers).Select(_ => new long[decoder.Config.Experts])];

    private static double Relative(Tensor a, Tensor b) => (a - b).norm().item<float>() / b.norm().item<float>();

    private static IEnumerable<double[]> Rows(Tensor values) =>
        values.to(float64).flatten().data<double>().ToArray().Chunk((int)values.shape[^1]);

    private static double[] Softmax(double[] logits, double temperature)
    {
        var powers = logits.Select(z => Math.Exp(z / temperature)).ToArray();
        return [.. powers.Select(power => power / powers.Sum())];
    }
}
