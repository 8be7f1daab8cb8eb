using System.Security.Cryptography;
using Espalier.CptTrainer.Training;
using Espalier.Modeling;
using Espalier.Modeling.Fused;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.TestKit.Models;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests;

/// <summary>Positions of a model whose weights no span and no array of bytes can hold.</summary>
public sealed class LargeTrainingTests(ITestOutputHelper output) : IDisposable
{
    private const int Steps = 3;
    private static readonly ModelConfig Large = ModelConfig.Tiny(vocabulary: 64) with
    {
        HiddenSize = 512, Heads = 8, KeyValueHeads = 8, HeadSize = 64, Layers = 2, Experts = 256, ExpertsPerToken = 1, ExpertSize = 768,
    };

    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_OfMoreThan600MParameters_KilledAfterASave_EndsInTheSameBits()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var cursor = new MemoryCursor();
        string[] expected;
        using (var first = new Work(_bench.Context(data, TrainingBench.Options(), cursor), seed: 1))
        {
            first.Decoder.Buffer.Values.numel().ShouldBeGreaterThan(600_000_000);
            for (var step = 0; step < Steps - 1; step++)
                first.Step(step);
            await first.Cursor.BeginSaveAsync(Steps - 1, new TrainingRecord { Operations = 7 }, default);
            first.Step(Steps - 1); // while the position is being written
            await first.Cursor.EndSaveAsync();
            var bytes = first.Decoder.Buffer.Values.numel() * 12L;
            output.WriteLine($"a position of {bytes / 1e9:0.0} GB cost the training {first.Cursor.LastCost.TotalSeconds:0.0} s");
            expected = first.Digests();
            using var stop = new CancellationTokenSource();
            await stop.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(async () =>
            {
                await first.Cursor.BeginSaveAsync(Steps, new TrainingRecord(), stop.Token);
                await first.Cursor.EndSaveAsync();
            });
        }

        using var resumed = new Work(_bench.Context(data, TrainingBench.Options(), cursor), seed: 2);
        var (done, record) = (await resumed.Cursor.RestoreAsync(default))!.Value;
        (done, record.Operations, resumed.Optimizer.Steps).ShouldBe((Steps - 1, 7, Steps - 1));
        resumed.Step(Steps - 1);

        resumed.Digests().ShouldBe(expected);
    }

    private sealed class Work : IDisposable
    {
        private readonly DecoderTrainer _trainer;

        public Work(StageContext context, long seed)
        {
            Decoder = MoeDecoder.Create(Large, seed);
            Optimizer = new AdamW(Decoder.Buffer);
            _trainer = new DecoderTrainer(Decoder, Optimizer, new TrainerSettings());
            Cursor = new TrainerCursor(context, Decoder, Optimizer, TimeProvider.System);
        }

        public MoeDecoder Decoder { get; }

        public AdamW Optimizer { get; }

        public TrainerCursor Cursor { get; }

        public void Step(long step)
        {
            using var tokens = (arange(2 * 9, dtype: int64) * (step + 3) % Large.VocabularySize).view(2, 9);
            _trainer.Step([tokens], 1e-3);
        }

        public string[] Digests() =>
            [.. new[] { Decoder.Buffer.Values, Optimizer.FirstMoment, Optimizer.SecondMoment, Decoder.SelectionBias(0)! }.Select(DigestOf)];

        public void Dispose()
        {
            Optimizer.Dispose();
            Decoder.Dispose();
        }

        private static string DigestOf(Tensor value)
        {
            using var bytes = TensorMemory.Open(value);
            return Convert.ToHexString(SHA256.HashData(bytes));
        }
    }
}
