using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using System.Security.Cryptography;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Fused;

/// <summary>Runs with fused kernels: repeatable to the last bit, and beside plain runs within a tolerance.</summary>
public class FusedTrainingTests
{
    /// <summary>Nats per token, between means over 20 steps: rounding differs, and routing turns on last bits.</summary>
    private const double CurveTolerance = 0.03;

    [Fact]
    public void Training_SameSeed_SameDigestWhateverTheThreads() => SameDigestWhateverTheThreads(ScalarType.Float32);

    [Bf16Fact]
    public void Training_SameSeedInBf16_SameDigestWhateverTheThreads() => SameDigestWhateverTheThreads(ScalarType.BFloat16);

    [Fact]
    public void Training_ResumedInTheMiddle_SameDigest() => SameDigestAfterAPause(ScalarType.Float32);

    [Bf16Fact]
    public void Training_ResumedInTheMiddleInBf16_SameDigest() => SameDigestAfterAPause(ScalarType.BFloat16);

    [Bf16Fact]
    public void Training_TwoHundredStepsInBf16_FollowsTheFloat32Curve()
    {
        using var rounded = new Run(type: ScalarType.BFloat16);
        using var exact = new Run();

        var (a, b) = (Means(rounded.Steps(0, 200)), Means(exact.Steps(0, 200)));

        a.Zip(b, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(CurveTolerance);
        a.ShouldNotBe(b);
    }

    [Fact]
    public void Training_TwoHundredSteps_FollowsThePlainCurve()
    {
        using var fused = new Run();
        using var plain = new Run(kernels: false);

        var (a, b) = (Means(fused.Steps(0, 200)), Means(plain.Steps(0, 200)));

        a.Zip(b, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(CurveTolerance);
        a[^1].ShouldBeLessThan(2.5); // ln 40 = 3.69 at the start: it learns
    }

    [Fact]
    public void Training_ManySteps_KeepsNoTensors()
    {
        using var run = new Run();
        run.Steps(0, 1);
        var (tensors, bytes) = (LiveTensors.CountSettled(), run.Decoder.TrainingBytes);

        run.Steps(1, 6);

        LiveTensors.Count.ShouldBe(tensors);
        run.Decoder.TrainingBytes.ShouldBe(bytes);
    }

    [Fact]
    public void TokenLosses_Kernels_EqualPlainAndForward()
    {
        using var decoder = FusedModels.Create("plain");
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var batch = FusedModels.Batch("plain");
        var (hidden, targets) = (decoder.Embed(batch.narrow(1, 0, 21).contiguous()), batch.narrow(1, 1, 21).flatten());

        var fused = decoder.TokenLosses(hidden.flatten(0, 1), targets);
        decoder.UsesKernels = false;
        var plain = decoder.TokenLosses(hidden.flatten(0, 1), targets);

        (fused - plain).abs().max().item<float>().ShouldBe(0, 1e-4f);
    }

    private static void SameDigestWhateverTheThreads(ScalarType type)
    {
        var threads = get_num_threads();
        try
        {
            var first = DigestAfter(50, threads: 2, type);

            DigestAfter(50, threads: 2, type).ShouldBe(first);
            DigestAfter(50, threads: 1, type).ShouldBe(first); // every sum has one order
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private static void SameDigestAfterAPause(ScalarType type)
    {
        using var whole = new Run(type: type);
        whole.Steps(0, 20);
        using var firstHalf = new Run(type: type);
        firstHalf.Steps(0, 10);

        using var secondHalf = new Run(type: type);
        secondHalf.ContinueFrom(firstHalf);
        secondHalf.Steps(10, 20);

        secondHalf.Digest().ShouldBe(whole.Digest());
    }

    private static List<double> Means(List<double> losses) => [.. losses.Chunk(20).Select(c => c.Average())];

    private static string DigestAfter(int steps, int threads, ScalarType type)
    {
        set_num_threads(threads);
        using var run = new Run(type: type);
        run.Steps(0, steps);
        return run.Digest();
    }

    private sealed class Run : IDisposable
    {
        private readonly AdamW _optimizer;
        private readonly DecoderTrainer _trainer;

        public Run(bool kernels = true, ScalarType type = ScalarType.Float32)
        {
            Decoder = MoeDecoder.Create(ModelConfig.Tiny(vocabulary: 40) with { Experts = 6 }, seed: 5);
            Decoder.ComputeType = type;
            Decoder.UsesKernels = kernels;
            _optimizer = new AdamW(Decoder.Buffer) { UsesKernels = kernels };
            _trainer = new DecoderTrainer(Decoder, _optimizer, new TrainerSettings());
        }

        public MoeDecoder Decoder { get; }

        // Counting upwards from random starts, in strides that the first token tells.
        public List<double> Steps(int from, int to)
        {
            var losses = new List<double>();
            for (var step = from; step < to; step++)
            {
                using var scope = NewDisposeScope();
                var starts = Models.Tokens(8, seed: step);
                var ids = starts.SelectMany(start => Enumerable.Range(0, 25).Select(i => (start + i * (1 + start % 3)) % 40)).ToArray();
                losses.Add(_trainer.Step([tensor(ids, [8, 25])], learningRate: 3e-3).Loss);
            }
            return losses;
        }

        public void ContinueFrom(Run other)
        {
            using var untracked = no_grad();
            Decoder.Buffer.Values.copy_(other.Decoder.Buffer.Values);
            _optimizer.FirstMoment.copy_(other._optimizer.FirstMoment);
            _optimizer.SecondMoment.copy_(other._optimizer.SecondMoment);
            _optimizer.Steps = other._optimizer.Steps;
            for (var layer = 0; layer < Decoder.Config.Layers; layer++)
                Decoder.SelectionBias(layer)!.copy_(other.Decoder.SelectionBias(layer)!);
        }

        public string Digest()
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var part in (Tensor[])[Decoder.Buffer.Values, _optimizer.FirstMoment, _optimizer.SecondMoment])
                hash.AppendData(part.bytes);
            return Convert.ToHexString(hash.GetHashAndReset());
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            Decoder.Dispose();
        }
    }
}
