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

    /// <summary>Over which tokens the load-balancing loss takes its averages, when that is used.</summary>
    /// <value>batch</value>
    public BalanceScope BalanceScope { get; init; } = BalanceScope.Batch;

    /// <summary>Step of the selection bias, when that is used.</summary>
    /// <value>0.001</value>
    public double BalanceRate { get; init; } = LossFreeBalancing.DefaultRate;

    /// <summary>Weight of the router z-loss.</summary>
    /// <value>0.001</value>
    public double RouterZCoefficient { get; init; } = 0.001;

    /// <summary>Weight of the routers' mean entropy.</summary>
    /// <value>0</value>
    public double RouterEntropyCoefficient { get; init; }

    /// <summary>Whether routers follow the tokens that they get, which tensor operations alone show: see <see cref="KMeansRouters"/>.</summary>
    /// <value>false</value>
    public bool FollowsTokens { get; init; }

    /// <summary>Largest gradient norm; 0 for no limit.</summary>
    /// <value>1</value>
    public double GradientClip { get; init; } = 1;

    /// <summary>
    /// Whether only the stream between layers is kept, and each layer runs again before its backward pass: less memory, a third more
    /// arithmetic, the same gradients (arXiv 1604.06174).
    /// </summary>
    /// <value>false</value>
    public bool Recompute { get; init; }

    /// <summary>Chance that a number of what attention and feed-forwards add to the stream is dropped.</summary>
    /// <value>0</value>
    public double Dropout { get; init; }

    /// <summary>Chance that a number of a routed expert's output is dropped.</summary>
    /// <value>0</value>
    public double ExpertDropout { get; init; }

    /// <summary>Most tokens of an expert in a micro-batch, as a multiple of an even share (see <see cref="ExpertCapacity"/>); null for no limit.</summary>
    /// <value>null</value>
    public double? Capacity { get; init; }

    /// <summary>Token that ends a document, past which attention does not look back (see <see cref="DocumentBorders"/>); null for no such border.</summary>
    /// <value>null</value>
    public long? DocumentEnd { get; init; }

    /// <summary>Of random numbers.</summary>
    /// <value>0</value>
    public long Seed { get; init; }

    /// <summary>A teacher to learn from beside the text; null for none.</summary>
    /// <value>null</value>
    public Distillation? Distillation { get; init; }

    /// <summary>The scope of the load-balancing loss; null where that is not used.</summary>
    internal BalanceScope? LossScope => Balance == BalanceMethod.Loss ? BalanceScope : null;

    /// <summary>Whether fused kernels do all that these settings ask for.</summary>
    internal bool SuitKernels => LossScope != BalanceScope.Sequence && !ChangePasses && RouterEntropyCoefficient == 0 && !FollowsTokens;

    // Forward passes of a training step differ from others in what there are no kernels for.
    private bool ChangePasses => Dropout > 0 || ExpertDropout > 0 || Capacity is not null;

    /// <summary>What holds in the forward passes of a micro-batch (B, S + 1); null where nothing does.</summary>
    internal TrainingPass? PassOf(MicroBatchPlace place, Tensor batch) => !ChangePasses && DocumentEnd is null ? null : new TrainingPass
    {
        DocumentStarts = DocumentEnd is { } end ? DocumentBorders.Of(batch, batch.shape[1] - 1, end) : null,
        Dropout = Dropout,
        ExpertDropout = ExpertDropout,
        Capacity = Capacity,
        Seed = Seed,
        Step = place.Step,
        FirstSequence = place.FirstSequence,
    };
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

    /// <summary>Share of the assignments of tokens to experts that went beyond the experts' capacity; null where there is no limit.</summary>
    public double? Dropped { get; init; }

    /// <summary>Mean experts per token and layer; null where that is the same for every token and step.</summary>
    public double? ExpertsPerToken { get; init; }

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

    /// <summary>Weights that are pruned, which gradients and the optimizer leave at zero; null for none.</summary>
    public PruningMasks? Masks { get; init; }

    /// <summary>Takes one step on micro-batches of token ids (B, S + 1), int64: S inputs and their S successors.</summary>
    /// <param name="microBatches">Batches of this step; each is disposed when it was used.</param>
    /// <param name="learningRate">Rate of this step.</param>
    /// <param name="observer">Sees the forward passes.</param>
    /// <param name="step">Number of the step, counted from the beginning of the order of the data: what is random goes by it.</param>
    /// <exception cref="TrainingDivergedException">Loss or gradient is not finite; the weights are as before the step.</exception>
    public StepOutcome Step(IReadOnlyList<Tensor> microBatches, double learningRate, IMoeObserver? observer = null, long step = 0)
    {
        var config = _decoder.Config;
        var counts = NewCounts(config);
        var places = PlacesOf(microBatches, step);
        var tokens = microBatches.Sum(batch => batch.shape[0] * (batch.shape[1] - 1));
        var (sum, shares) = (new BatchLosses(), CountAhead(microBatches, places));
        foreach (var (batch, place) in microBatches.Zip(places))
        {
            using (batch)
                sum += Accumulate(batch, counts, 1.0 / microBatches.Count, observer, place with { StepShares = shares });
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
            Dropped = _settings.Capacity is null ? null : mean.Dropped,
            ExpertsPerToken = config is { TopP: null, Elastic: null } ? null
                : counts.Sum(layer => layer.Sum()) / (double)(tokens * config.SparseLayers.Count),
            IsSkipped = isSkipped,
        };
    }

    private double TakeStep(double learningRate)
    {
        try
        {
            Masks?.ClearGradients();
            var norm = Optimizer.Step(learningRate, _settings.GradientClip, Spikes?.Limit ?? double.PositiveInfinity);
            Masks?.Apply();
            return norm;
        }
        catch (NotFiniteNumberException e)
        {
            throw new TrainingDivergedException($"the gradient norm became {e.OffendingNumber}");
        }
    }

    internal BatchLosses Accumulate(Tensor batch, long[][] counts, double share, IMoeObserver? observer, MicroBatchPlace? place = null)
    {
        place ??= new MicroBatchPlace();
        using var pass = _decoder.Begin(_settings.PassOf(place, batch));
        if (observer is null && _decoder.TryAccumulate(batch, counts, share, _settings, place.StepShares) is { } parts)
            return parts;
        if (_settings.Recompute || _settings.Distillation is { Features: > 0 }) // it has the streams between layers
            return new LayerwiseTraining(_decoder, _settings, place).Accumulate(batch, counts, share, observer);
        using var scope = NewDisposeScope();
        var length = batch.shape[1] - 1;
        var inputs = batch.narrow(1, 0, length).contiguous();
        var output = _decoder.Forward(inputs, observer);
        var loss = Losses.CrossEntropy(output.Logits, batch.narrow(1, 1, length).contiguous());
        var (total, divergence) = _settings.Distillation is { } distillation
            ? distillation.Mix(output.Logits, distillation.Run(inputs, _decoder.DocumentStarts)[^1], loss)
            : (loss, null);
        if (output.Routing.Count == 0) // a dense model
        {
            (total * share).backward();
            return new BatchLosses(loss.item<float>(), 0, 0, divergence?.item<float>() ?? 0);
        }
        Tensor balance, routerZ;
        using (set_grad_enabled(_settings.Balance == BalanceMethod.Loss))
            balance = BalanceLoss(output.Routing, batch.shape[0], place);
        using (set_grad_enabled(_settings.RouterZCoefficient > 0))
            routerZ = Losses.RouterZ(output.Routing);
        if (_settings.Balance == BalanceMethod.Loss)
            total = total + balance * _settings.BalanceCoefficient;
        if (_settings.RouterZCoefficient > 0)
            total = total + routerZ * _settings.RouterZCoefficient;
        if (_settings.RouterEntropyCoefficient > 0)
            total = total + Losses.RouterEntropy(output.Routing) * _settings.RouterEntropyCoefficient;
        (total * share).backward();
        foreach (var trace in output.Routing)
        {
            for (var expert = 0; expert < trace.Counts.Count; expert++)
                counts[trace.Layer][expert] += trace.Counts[expert];
        }
        return new BatchLosses(loss.item<float>(), balance.item<float>(), routerZ.item<float>(), divergence?.item<float>() ?? 0)
        {
            Dropped = ExpertCapacity.DroppedShare([.. output.Routing.Select(trace => trace.Counts)], _settings.Capacity),
        };
    }

    private Tensor BalanceLoss(IReadOnlyList<RoutingTrace> routing, long sequences, MicroBatchPlace place) =>
        _settings.LossScope == BalanceScope.Sequence ? Losses.LoadBalancingBySequence(routing, sequences)
            : place.StepShares is { } shares ? Losses.LoadBalancing(routing, shares)
            : Losses.LoadBalancing(routing);

    /// <summary>(E) selections per row of all micro-batches and layers; null where the loss does not ask for them.</summary>
    private float[]? CountAhead(IReadOnlyList<Tensor> microBatches, IReadOnlyList<MicroBatchPlace> places)
    {
        if (_settings.LossScope != BalanceScope.Global || microBatches.Count == 1 || !_decoder.Config.IsMixture)
            return null;
        var counts = NewCounts(_decoder.Config);
        foreach (var (batch, place) in microBatches.Zip(places))
        {
            using var pass = _decoder.Begin(_settings.PassOf(place, batch));
            if (!_decoder.TryCount(batch, counts, _settings))
                new LayerwiseTraining(_decoder, _settings, place).Count(batch, counts);
        }
        var rows = (double)microBatches.Sum(batch => batch.shape[0] * (batch.shape[1] - 1)) * _decoder.Config.SparseLayers.Count;
        return [.. Enumerable.Range(0, _decoder.Config.Experts).Select(e => (float)(counts.Where(layer => layer.Length > 0).Sum(layer => layer[e]) / rows))];
    }

    private static List<MicroBatchPlace> PlacesOf(IReadOnlyList<Tensor> microBatches, long step)
    {
        var (places, first) = (new List<MicroBatchPlace>(), 0L);
        foreach (var batch in microBatches)
        {
            places.Add(new MicroBatchPlace { Step = step, FirstSequence = first });
            first += batch.shape[0];
        }
        return places;
    }

    private static long[][] NewCounts(ModelConfig config) =>
        [.. Enumerable.Range(0, config.Layers).Select(layer => new long[config.IsSparse(layer) ? config.Experts : 0])];
}
