using System.Diagnostics;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Bench;

/// <summary>What is timed.</summary>
internal enum BenchWorkKind
{
    /// <summary>A training step: forward, backward, clipping, AdamW.</summary>
    Train,

    /// <summary>Forward without gradients, down to each token's loss: evaluation and calibration.</summary>
    Calibrate,
}

/// <summary>Our side of a measurement: a model of a shape, and steps on it.</summary>
internal sealed class BenchWork : IMeasuredWork
{
    private readonly BenchShape _shape;
    private readonly BenchWorkKind _kind;
    private readonly AdamW? _optimizer;
    private readonly DecoderTrainer? _trainer;
    private int _step;

    /// <summary>Makes the model.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="kind">What a step is.</param>
    /// <param name="isBf16">Computes in bfloat16 with float32 weights, as <c>precision: bf16</c> does.</param>
    public BenchWork(BenchShape shape, BenchWorkKind kind, bool isBf16 = false)
    {
        (_shape, _kind) = (shape, kind);
        Decoder = MoeDecoder.Create(shape.Config, seed: 1);
        Decoder.ComputeType = isBf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        if (kind == BenchWorkKind.Train)
        {
            _optimizer = new AdamW(Decoder.Buffer);
            _trainer = new DecoderTrainer(Decoder, _optimizer, new TrainerSettings());
        }
    }

    /// <summary>The model.</summary>
    public MoeDecoder Decoder { get; }

    /// <inheritdoc/>
    public long ActivationBytes => Decoder.TrainingBytes;

    /// <inheritdoc/>
    public (double Seconds, double Loss) Step()
    {
        using var scope = NewDisposeScope();
        var tokens = tensor(_shape.Ids(_step++), [_shape.Batch, _shape.Length + 1]);
        var start = Stopwatch.GetTimestamp();
        var loss = _kind == BenchWorkKind.Train ? _trainer!.Step([tokens], learningRate: 1e-3).Loss : Forward(tokens);
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, loss);
    }

    public void Dispose()
    {
        _optimizer?.Dispose();
        Decoder.Dispose();
    }

    private double Forward(Tensor tokens)
    {
        using var untracked = no_grad();
        var hidden = Decoder.Embed(tokens.narrow(1, 0, _shape.Length).contiguous());
        for (var layer = 0; layer < _shape.Layers; layer++)
            hidden = Decoder.RunLayer(layer, hidden);
        var targets = tokens.narrow(1, 1, _shape.Length).flatten();
        return Decoder.TokenLosses(hidden.flatten(0, 1), targets).mean().item<float>();
    }
}
