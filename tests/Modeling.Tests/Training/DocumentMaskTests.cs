using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

/// <summary>
/// Attention within documents: packed, they train as each does by itself. Positions run on through a sequence and begin anew apart, and both
/// sides round in float32, so gradients are compared to 1e-4 of their norm.
/// </summary>
public sealed class DocumentMaskTests
{
    private const long End = 39;

    [Fact]
    public void Of_SeveralRows_BeginsAnewAfterEndTokensAndWithRows()
    {
        using var ids = tensor(new[] { 1L, 9, 2, 9, 9, 9, 4, 5 }, [2, 4]); // the last of each row is a target alone

        DocumentBorders.Of(ids, 3, end: 9).ShouldBe([0, 2, 3, 4, 5, 6]);
    }

    [Fact]
    public void Of_EndTokensAtTheEndsOfRowsOnly_IsNull()
    {
        using var ids = tensor(new[] { 1L, 2, 9, 3, 1, 1, 9, 9 }, [2, 4]);

        DocumentBorders.Of(ids, 3, end: 9).ShouldBeNull();
    }

    public static TheoryData<string, bool, bool> Variants => new()
    {
        { "plain", true, false }, { "plain", false, false }, { "plain", false, true }, { "plain", true, true },
        { "grouped-query", true, false }, { "head-norm", true, false }, { "shared", true, false }, { "dense", true, false }, { "dense-first", false, false },
        { "long", true, false }, { "long", false, false }, { "windowed", false, false }, { "latent", false, false },
    };

    [Theory, MemberData(nameof(Variants))]
    public void Step_DocumentsPacked_IsTheMeanOfEachApart(string variant, bool kernels, bool recompute)
    {
        using var scope = NewDisposeScope();
        using var decoder = Create(variant);
        decoder.UsesKernels = kernels;
        var settings = new TrainerSettings { Balance = BalanceMethod.None, RouterZCoefficient = 0.05, Recompute = recompute };
        var (batch, documents) = Packed(variant);

        var masked = Run(decoder, settings with { DocumentEnd = End }, batch);
        var plain = Run(decoder, settings, batch);
        var tokens = 2.0 * FusedModels.Length(variant);
        var apart = documents.ConvertAll(document => (Share: (document.numel() - 1) / tokens, Run: Run(decoder, settings, document)));

        var loss = apart.Sum(document => document.Share * document.Run.Loss);
        masked.Loss.ShouldBe(loss, 1e-5 * loss);
        var gradients = new float[masked.Gradients.Length];
        foreach (var (share, (_, part)) in apart)
        {
            for (var i = 0; i < part.Length; i++)
                gradients[i] += (float)(share * part[i]);
        }
        Distance(masked.Gradients, gradients).ShouldBeLessThan(1e-4);
        Distance(plain.Gradients, gradients).ShouldBeGreaterThan(0.01);
    }

    [Theory]
    [InlineData(true, 0.0)]
    [InlineData(false, 0.0)]
    [InlineData(true, 0.5)]
    [InlineData(false, 0.5)]
    public void Step_WithATeacher_TheTeacherStaysWithinDocumentsToo(bool kernels, double features)
    {
        using var scope = NewDisposeScope();
        using var decoder = Create("plain");
        using var teacher = Models.Tiny(8);
        (decoder.UsesKernels, teacher.UsesKernels) = (kernels, kernels);
        var settings = new TrainerSettings
        {
            Balance = BalanceMethod.None, Distillation = new Distillation(teacher) { Weight = 0.7, Temperature = 2, Features = features },
        };
        var (batch, documents) = Packed("plain");

        var masked = Outcome(decoder, settings with { DocumentEnd = End }, batch);
        var apart = documents.Sum(document => (document.numel() - 1.0) / 42 * Outcome(decoder, settings, document).Divergence!.Value);

        masked.Divergence!.Value.ShouldBe(apart, 1e-5 * apart);
        Math.Abs(Outcome(decoder, settings, batch).Divergence!.Value - apart).ShouldBeGreaterThan(1e-3 * apart);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_NoDocumentEndsInASequence_HasTheBitsOfAPlainStep(bool kernels)
    {
        using var scope = NewDisposeScope();
        using var decoder = Create("plain");
        decoder.UsesKernels = kernels;
        var settings = new TrainerSettings { Balance = BalanceMethod.Loss };
        var batch = tensor([.. Models.Tokens(2 * 22, seed: 3).Select(id => id == End ? 0 : id)], [2, 22]);

        var masked = Run(decoder, settings with { DocumentEnd = End }, batch);

        masked.Gradients.ShouldBe(Run(decoder, settings, batch).Gradients);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Steps_Masked_KeepNoTensors(bool kernels)
    {
        using var scope = NewDisposeScope();
        using var decoder = Create("plain");
        decoder.UsesKernels = kernels;
        var settings = new TrainerSettings { DocumentEnd = End };
        var (batch, _) = Packed("plain");
        Run(decoder, settings, batch);
        var before = LiveTensors.CountSettled();

        Run(decoder, settings, batch);
        Run(decoder, settings, batch);

        LiveTensors.Count.ShouldBe(before);
    }

    private static MoeDecoder Create(string variant) => variant switch
    {
        "windowed" => Models.Tiny(1, config => config with { SlidingWindow = 5, WindowedLayers = [0] }),
        "latent" => Models.Tiny(1, config => config with
        {
            Family = "deepseek_v3", QueryKeyNorm = QueryKeyNorm.None, SharedSize = 24, HeadSize = 12,
            Latent = new LatentAttention(null, 12, 8, 4, 8, Interleaved: true),
        }),
        _ => FusedModels.Create(variant),
    };

    // Two sequences, of two and of three documents, and each document with the token that follows it. Some are longer than a block of queries.
    private static (Tensor Batch, List<Tensor> Documents) Packed(string variant)
    {
        var length = FusedModels.Length(variant);
        var ids = Models.Tokens(2 * (length + 1), seed: 3).Select(id => id == End ? 0 : id).ToArray();
        var documents = new List<(int Start, int Length)>();
        foreach (var (row, ends) in new[] { (0, new[] { length / 3 }), (1, [2, length / 2]) })
        {
            var start = 0;
            foreach (var end in ends.Append(length))
            {
                documents.Add((row * (length + 1) + start, end - start));
                ids[row * (length + 1) + end - 1] = End;
                start = end;
            }
        }
        return (tensor(ids, [2, length + 1]), documents.ConvertAll(d => tensor(ids[d.Start..(d.Start + d.Length + 1)], [1, d.Length + 1])));
    }

    private static (double Loss, float[] Gradients) Run(MoeDecoder decoder, TrainerSettings settings, Tensor batch)
    {
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        var loss = new DecoderTrainer(decoder, optimizer, settings).Step([batch.clone()], 0).Loss;
        return (loss, optimizer.Gradients);
    }

    private static StepOutcome Outcome(MoeDecoder decoder, TrainerSettings settings, Tensor batch)
    {
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        return new DecoderTrainer(decoder, optimizer, settings).Step([batch.clone()], 0);
    }

    private static double Distance(float[] a, float[] b) =>
        Math.Sqrt(a.Zip(b, (x, y) => ((double)x - y) * ((double)x - y)).Sum() / b.Sum(y => (double)y * y));
}
