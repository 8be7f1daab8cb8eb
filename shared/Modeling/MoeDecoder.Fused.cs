using Espalier.Modeling.Fused;
using Espalier.Modeling.Training;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// Where fused kernels take the place of tensor operations: float32 on the CPU, when no gradient is recorded or in a training step;
/// and in bf16 in a training step, where the processor multiplies in bf16. Layers with latent attention, windows, clipping, expert
/// groups, top-p routing, ternary experts or an output bias run plain.
/// </summary>
public sealed partial class MoeDecoder
{
    private FusedDecoder? _fused;
    private FusedTraining? _training;

    /// <summary>Whether fused kernels may be used where there are any; off, the plain twin runs.</summary>
    /// <value>true</value>
    public bool UsesKernels { get; set; } = true;

    /// <summary>Where the time of training steps goes, by part; kept only when set, and only by fused kernels.</summary>
    /// <value>null</value>
    public Dictionary<string, TimeSpan>? Profile { get; set; }

    /// <summary>Bytes that training steps keep for activations and scratch, 0 without fused kernels.</summary>
    public long TrainingBytes => _training?.SizeBytes ?? 0;

    /// <summary>
    /// Forward and backward pass of one micro-batch (B, S + 1) with fused kernels, or null where none fit. See
    /// <see cref="FusedTraining.Accumulate"/>.
    /// </summary>
    internal BatchLosses? TryAccumulate(Tensor batch, long[][] counts, double share, TrainerSettings settings, float[]? stepShares = null) =>
        FusedTrainingFor(settings)?.Accumulate(batch, counts, share, settings, stepShares);

    /// <summary>
    /// Adds each expert's tokens in a micro-batch (B, S + 1) to <paramref name="counts"/>, as <see cref="TryAccumulate"/> will; false where no
    /// kernels fit.
    /// </summary>
    internal bool TryCount(Tensor batch, long[][] counts, TrainerSettings settings)
    {
        var training = FusedTrainingFor(settings);
        training?.Count(batch, counts, settings);
        return training is not null;
    }

    private FusedTraining? FusedTrainingFor(TrainerSettings settings)
    {
        if (!UsesKernels || !settings.SuitKernels || Buffer.Gradients is null || !FusedDecoder.SupportsTraining(Buffer, ComputeType))
            return null;
        var fused = _fused ??= new FusedDecoder(this, _rotary);
        if (!fused.RunsLayers || settings.Distillation is { } distillation && !FusedDecoder.Reads(distillation.Teacher.Buffer))
            return null;
        return _training ??= new FusedTraining(this, fused, _layers, _embedding, _finalNorm, _head);
    }

    /// <summary>Norm (H) and matrix (V, H) of the head, for kernels.</summary>
    internal (Tensor Norm, Tensor Matrix) HeadWeights => (_finalNorm, _head);

    private FusedDecoder? Fused => UsesKernels && FusedDecoder.Supports(Buffer, ComputeType) ? _fused ??= new FusedDecoder(this, _rotary) : null;

    // Autograd would record an operation on this stream.
    private bool Records(Tensor hidden) => is_grad_enabled() && (Buffer.Gradients is not null || hidden.requires_grad);
}
