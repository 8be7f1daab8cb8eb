using System.Diagnostics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Espalier.Bench;

/// <summary>The peer's side of a measurement: steps on an <see cref="EagerDecoder"/>, with PyTorch's own optimizer.</summary>
internal sealed class EagerWork : IMeasuredWork
{
    private const double RouterZ = 1e-3;

    private readonly BenchShape _shape;
    private readonly EagerDecoder _decoder;
    private readonly AdamW? _optimizer;
    private int _step;

    /// <summary>Makes the model.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="kind">What a step is.</param>
    /// <param name="isBf16">Products compute in bfloat16.</param>
    public EagerWork(BenchShape shape, BenchWorkKind kind, bool isBf16)
    {
        _shape = shape;
        manual_seed(1);
        _decoder = new EagerDecoder(shape, isBf16);
        if (kind != BenchWorkKind.Train)
            return;
        var weights = _decoder.parameters().ToLookup(w => w.dim() > 1);
        _optimizer = new AdamW(
            [new AdamW.ParamGroup(weights[true], 1e-3, weight_decay: 0.1), new AdamW.ParamGroup(weights[false], 1e-3, weight_decay: 0)],
            lr: 1e-3, beta1: 0.9, beta2: 0.95);
    }

    /// <inheritdoc/>
    public long ActivationBytes => 0;

    /// <inheritdoc/>
    public (double Seconds, double Loss) Step()
    {
        using var scope = NewDisposeScope();
        var tokens = tensor(_shape.Ids(_step++), [_shape.Batch, _shape.Length + 1]);
        var start = Stopwatch.GetTimestamp();
        var loss = _optimizer is null ? Forward(tokens) : Train(tokens, _optimizer);
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, loss);
    }

    public void Dispose()
    {
        _optimizer?.Dispose();
        _decoder.Dispose();
    }

    private double Forward(Tensor tokens)
    {
        using var untracked = no_grad();
        return Loss(tokens).item<float>();
    }

    private double Train(Tensor tokens, AdamW optimizer)
    {
        var loss = Loss(tokens);
        var penalty = stack(_decoder.RouterLogits.Select(r => r.to_type(float32).logsumexp(-1).square().mean())).mean();
        (loss + RouterZ * penalty).backward();
        nn.utils.clip_grad_norm_(_decoder.parameters(), 1);
        optimizer.step();
        optimizer.zero_grad();
        return loss.item<float>();
    }

    private Tensor Loss(Tensor tokens) => nn.functional.cross_entropy(
        _decoder.call(tokens.narrow(1, 0, _shape.Length)).to_type(float32).reshape(-1, _shape.Vocabulary), tokens.narrow(1, 1, _shape.Length).flatten());
}
