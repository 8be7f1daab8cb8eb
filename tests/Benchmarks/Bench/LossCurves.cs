using Espalier.Cli.Reports;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using static TorchSharp.torch;

namespace Espalier.Bench;

/// <summary>Training with fused kernels beside training with plain tensor operations: same weights, same tokens.</summary>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Fused">Loss of each step with kernels.</param>
/// <param name="Plain">Loss of each step without.</param>
/// <param name="LargestDifference">Between means of the two over 20 steps, in nats per token.</param>
/// <param name="Tolerance">What it may be.</param>
internal sealed record LossCurves(int Steps, IReadOnlyList<double> Fused, IReadOnlyList<double> Plain, double LargestDifference, double Tolerance)
{
    /// <summary>Nats per token. Both sides round in float32, in different orders; routing then turns on last bits.</summary>
    private const double Allowed = 0.03;

    private const int Window = 20;

    public bool Agree => LargestDifference <= Tolerance;

    public static LossCurves Train(BenchShape shape, int steps)
    {
        var (fused, plain) = (Losses(shape, steps, kernels: true), Losses(shape, steps, kernels: false));
        return new LossCurves(steps, fused, plain, Means(fused).Zip(Means(plain), (a, b) => Math.Abs(a - b)).Max(), Allowed);
    }

    /// <summary>The two curves as a picture.</summary>
    public string Draw() => LossChart.Draw([Curve("fused kernels", Fused), Curve("plain operations", Plain)], "optimizer steps")
        .Replace("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\" ", StringComparison.Ordinal)
        .Replace("class=\"grid\"", "stroke=\"#ddd\"", StringComparison.Ordinal);

    private static IEnumerable<double> Means(List<double> losses) => losses.Chunk(Window).Select(steps => steps.Average());

    private static LossCurve Curve(string name, IReadOnlyList<double> losses) => new(name, [.. losses.Select((loss, i) => ((double)(i + 1), loss))], 0);

    private static List<double> Losses(BenchShape shape, int steps, bool kernels)
    {
        using var decoder = MoeDecoder.Create(shape.Config, seed: 3);
        using var optimizer = new AdamW(decoder.Buffer) { UsesKernels = kernels };
        decoder.UsesKernels = kernels;
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings());
        var schedule = new LearningRateSchedule { Kind = ScheduleKind.Wsd, Peak = 2e-3, Steps = steps, WarmUp = steps / 10 };
        var losses = new List<double>();
        for (var step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            losses.Add(trainer.Step([tensor(Sentences(shape, step), [shape.Batch, shape.Length + 1])], schedule.At(step)).Loss);
        }
        return losses;
    }

    // Something to learn: counting in steps of 1 to 4 from a random start, with a slip now and then.
    private static long[] Sentences(BenchShape shape, int step)
    {
        var noise = shape.Ids(step);
        var (ids, length) = (new long[noise.Length], shape.Length + 1);
        for (var i = 0; i < ids.Length; i++)
        {
            var (start, stride) = (i % length == 0, 1 + noise[i - i % length] % 4);
            ids[i] = start || noise[i] % 10 == 0 ? noise[i] : (ids[i - 1] + stride) % shape.Vocabulary;
        }
        return ids;
    }
}
