using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>How experts are kept in use.</summary>
public enum BalanceMethod
{
    /// <summary>A selection bias that follows the load (arXiv 2408.15664); no gradient.</summary>
    LossFree,

    /// <summary>The load-balancing loss.</summary>
    Loss,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>What one optimizer step minimises and how.</summary>
public sealed record TrainerSettings
{
    /// <summary>How experts are kept in use.</summary>
    /// <value>loss-free</value>
    public BalanceMethod Balance { get; init; } = BalanceMethod.LossFree;

    /// <summary>Weight of the load-balancing loss, when that is used.</summary>
    /// <value>0.01</value>
    public double BalanceCoefficient { get; init; } = 0.01;

    /// <summary>Step of the selection bias, when that is used.</summary>
    /// <value>0.001</value>
    public double BalanceRate { get; init; } = LossFreeBalancing.DefaultRate;

    /// <summary>Weight of the router z-loss.</summary>
    /// <value>0.001</value>
    public double RouterZCoefficient { get; init; } = 0.001;

    /// <summary>Largest gradient norm; 0 for no limit.</summary>
    /// <value>1</value>
    public double GradientClip { get; init; } = 1;

    /// <summary>
    /// Whether only the stream between layers is kept, and each layer runs again before its backward pass: less memory, a third more
    /// arithmetic, the same gradients (arXiv 1604.06174).
    /// </summary>
    /// <value>false</value>
    public bool Recompute { get; init; }

    /// <summary>A teacher to learn from beside the text; null for none.</summary>
    /// <value>null</value>
    public Distillation? Distillation { get; init; }
}

/// <summary>What one optimizer step saw.</summary>
/// <param name="Loss">Mean cross-entropy in nats per token, before the step.</param>
/// <param name="BalanceLoss">Load-balancing loss, K when perfectly balanced.</param>
/// <param name="RouterZLoss">Router z-loss.</param>
/// <param name="GradientNorm">Norm before clipping.</param>
/// <param name="Counts">Per layer, tokens that each expert got; none in dense layers.</param>
public sealed record StepOutcome(double Loss, double BalanceLoss, double RouterZLoss, double GradientNorm, IReadOnlyList<IReadOnlyList<long>> Counts)
{
    /// <summary>Divergence from the teacher in nats per token, at the temperature of the distillation; null without a teacher.</summary>
    public double? Divergence { get; init; }

    /// <summary>Distance from the teacher's streams, summed over layers; null where they are not compared.</summary>
    public double? FeatureDistance { get; init; }

    /// <summary>Whether the gradient norm was a spike, and the step not taken.</summary>
    public bool IsSkipped { get; init; }
}

/// <summary>The loss or the gradient stopped being a number.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);

/// <summary>
/// Trains a decoder one optimizer step at a time: loss = cross-entropy (mixed with what a teacher says, see <see cref="Distillation"/>) +
/// balance + z-loss, averaged over micro-batches, whose graphs are freed one by one; then the optimizer; then, from the counts of the whole
/// step, the selection biases.
/// </summary>
public sealed class DecoderTrainer
{
    private readonly MoeDecoder _decoder;
    private readonly TrainerSettings _settings;

    /// <summary>A trainer that owns neither the decoder nor the optimizer.</summary>
    public DecoderTrainer(MoeDecoder decoder, IOptimizer optimizer, TrainerSettings settings)
    {
        (_decoder, _settings, Optimizer) = (decoder, settings, optimizer);
        if (settings.Balance == BalanceMethod.LossFree)
            decoder.AddSelectionBias();
    }

    /// <summary>Experts of a layer that something else holds back, which loss-free balancing passes over; null for none.</summary>
    public Func<int, IReadOnlyList<bool>?>? HeldBack { get; init; }

    /// <summary>Whether loss-free balancing leaves the selection biases to something else.</summary>
    public bool IsBiasFixed { get; set; }

    /// <summary>The optimizer.</summary>
    public IOptimizer Optimizer { get; }

    /// <summary>Which steps are not taken because their gradient norm is a spike; null to take all.</summary>
    public SpikeGuard? Spikes { get; set; }

    /// <summary>Takes one step on micro-batches of token ids (B, S + 1), int64: S inputs and their S successors.</summary>
    /// <param name="microBatches">Batches of this step; each is disposed when it was used.</param>
    /// <param name="learningRate">Rate of this step.</param>
    /// <param name="observer">Sees the forward passes.</param>
    /// <exception cref="TrainingDivergedException">Loss or gradient is not finite; the weights are as before the step.</exception>
    public StepOutcome Step(IReadOnlyList<Tensor> microBatches, double learningRate, IMoeObserver? observer = null)
    {
        var config = _decoder.Config;
        var counts = Enumerable.Range(0, config.Layers).Select(layer => new long[config.IsSparse(layer) ? config.Experts : 0]).ToArray();
        var sum = new BatchLosses();
        foreach (var batch in microBatches)
        {
            using (batch)
                sum += Accumulate(batch, counts, 1.0 / microBatches.Count, observer);
        }
        if (!double.IsFinite(sum.Loss))
            throw new TrainingDivergedException($"the loss became {sum.Loss}");
        var norm = TakeStep(learningRate);
        var isSkipped = Spikes?.Observe(norm) ?? false;
        if (_settings.Balance == BalanceMethod.LossFree && !IsBiasFixed && !isSkipped)
        {
            foreach (var layer in _decoder.Config.SparseLayers)
                LossFreeBalancing.Update(_decoder.SelectionBias(layer)!, counts[layer], _settings.BalanceRate, HeldBack?.Invoke(layer));
        }
        var mean = sum / microBatches.Count;
        return new StepOutcome(mean.Loss, mean.Balance, mean.RouterZ, norm, counts)
        {
            Divergence = _settings.Distillation is null ? null : mean.Divergence,
            FeatureDistance = _settings.Distillation is { Features: > 0 } ? mean.Features : null,
            IsSkipped = isSkipped,
        };
    }

    private double TakeStep(double learningRate)
    {
        try
        {
            return Optimizer.Step(learningRate, _settings.GradientClip, Spikes?.Limit ?? double.PositiveInfinity);
        }
        catch (NotFiniteNumberException e)
        {
            throw new TrainingDivergedException($"the gradient norm became {e.OffendingNumber}");
        }
    }

    internal BatchLosses Accumulate(Tensor batch, long[][] counts, double share, IMoeObserver? observer)
    {
        if (observer is null && _decoder.TryAccumulate(batch, counts, share, _settings) is { } parts)
            return parts;
        if (_settings.Recompute || _settings.Distillation is { Features: > 0 }) // it has the streams between layers
            return new LayerwiseTraining(_decoder, _settings).Accumulate(batch, counts, share, observer);
        using var scope = NewDisposeScope();
        var length = batch.shape[1] - 1;
        var inputs = batch.narrow(1, 0, length).contiguous();
        var output = _decoder.Forward(inputs, observer);
        var loss = Losses.CrossEntropy(output.Logits, batch.narrow(1, 1, length).contiguous());
        var (total, divergence) = _settings.Distillation is { } distillation
            ? distillation.Mix(output.Logits, distillation.Run(inputs)[^1], loss)
            : (loss, null);
        if (output.Routing.Count == 0) // a dense model
        {
            (total * share).backward();
            return new BatchLosses(loss.item<float>(), 0, 0, divergence?.item<float>() ?? 0);
        }
        Tensor balance, routerZ;
        using (set_grad_enabled(_settings.Balance == BalanceMethod.Loss))
            balance = Losses.LoadBalancing(output.Routing);
        using (set_grad_enabled(_settings.RouterZCoefficient > 0))
            routerZ = Losses.RouterZ(output.Routing);
        if (_settings.Balance == BalanceMethod.Loss)
            total = total + balance * _settings.BalanceCoefficient;
        if (_settings.RouterZCoefficient > 0)
            total = total + routerZ * _settings.RouterZCoefficient;
        (total * share).backward();
        foreach (var trace in output.Routing)
        {
            for (var expert = 0; expert < trace.Counts.Count; expert++)
                counts[trace.Layer][expert] += trace.Counts[expert];
        }
        return new BatchLosses(loss.item<float>(), balance.item<float>(), routerZ.item<float>(), divergence?.item<float>() ?? 0);
    }
}
