using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Prunes a model while it is trained. When and how much is a function of the step; which weights, of the weights and of what was pruned
/// before, which saved positions hold: a resumed run ends in the same bits.
/// </summary>
internal sealed class Sparsification : IDisposable
{
    /// <summary>What is measured of a run that prunes.</summary>
    public static readonly IReadOnlyList<string> Names = [SparsityName, AverageName];

    /// <summary>Mean over the run of the weights that are not pruned.</summary>
    public const string AverageName = "average-parameters";

    private const string SparsityName = "sparsity";

    private readonly SparsitySchedule _schedule;
    private readonly ModelConfig _config;
    private readonly PrunedWeights _pruned;

    private Sparsification(SparsifyOptions options, SparsitySchedule schedule, MoeDecoder decoder)
    {
        (_schedule, _config, _pruned) = (schedule, decoder.Config, PrunedOf(options, decoder.Config));
        Masks = new PruningMasks(decoder.Buffer, _pruned, options.Granularity);
    }

    /// <summary>Which weights are pruned.</summary>
    public PruningMasks Masks { get; }

    /// <summary>Null where the options do not ask for it.</summary>
    public static Sparsification? Of(TrainOptions options, TrainPlan plan, MoeDecoder decoder) =>
        options.Sparsify is { } sparsify ? new Sparsification(sparsify, ScheduleOf(sparsify, plan), decoder) : null;

    /// <summary>Prunes if it is time, before a step's forward pass.</summary>
    public void Before(long step)
    {
        if (_schedule.IsDue(step))
            Masks.Prune(_schedule.At(step));
    }

    /// <summary>Which numbers of a parameter a position after some finished steps says are pruned; null for none.</summary>
    public Tensor? MaskIn(long finished, NamedParameter parameter) => finished > _schedule.First ? Masks.Of(parameter) : null;

    /// <summary>Numbers of the result.</summary>
    public IReadOnlyDictionary<string, double> Metrics => new Dictionary<string, double>
    {
        [SparsityName] = Masks.Share,
        [AverageName] = _schedule.AverageParameters(_config.TotalParameters, PrunedMatrices.WeightsOf(_config, _pruned)),
    };

    /// <summary>What whoever uses the model must know.</summary>
    public IReadOnlyList<string> Notes(SparsifyOptions options) =>
    [
        FormattableString.Invariant($"{Masks.Share:p1} of the weights of {Words(_pruned)} are zero. ")
            + "Loaders store and multiply zeros as any other numbers, and training without 'sparsify' lets them grow again: "
            + FormattableString.Invariant($"'sparsify: {{ to: {options.To}, from-share: 0, until-share: 0 }}' keeps them. ")
            + (options.Granularity == PrunedUnit.Neuron
                ? FormattableString.Invariant($"They are whole neurons: 'prune' with 'method: heapr', 'ratio: {options.To}' and 'multiple-of: 1' ")
                    + "cuts them out."
                : ""),
    ];

    /// <summary>What it comes to, in a sentence.</summary>
    public static string Describe(SparsifyOptions options, TrainPlan plan, ModelConfig config)
    {
        var (schedule, pruned) = (ScheduleOf(options, plan), PrunedOf(options, config));
        var (total, prunable) = (config.TotalParameters, PrunedMatrices.WeightsOf(config, pruned));
        return FormattableString.Invariant($"sparsify: the share of zeros among the {prunable} weights of {Words(pruned)} rises from optimizer step ")
            + FormattableString.Invariant($"{schedule.First} to {schedule.Last} of {plan.Steps}, ")
            + FormattableString.Invariant($"until {total - options.To * prunable:f0} of {total} weights are left. On average over the run the model has ")
            + FormattableString.Invariant($"{schedule.AverageParameters(total, prunable):f0}: ")
            + "as good as a dense one of that size is expected to become by as much arithmetic.";
    }

    /// <summary>Refuses what does not fit the model or the other options.</summary>
    /// <exception cref="UserInputException">With what to change.</exception>
    public static void Check(TrainOptions options, ModelConfig config)
    {
        if (options.Sparsify is not { } sparsify)
            return;
        var pruned = PrunedOf(sparsify, config);
        if (PrunedMatrices.WeightsOf(config, pruned) == 0 || sparsify.Granularity == PrunedUnit.Neuron && !config.IsMixture)
            throw new UserInputException("'sparsify' prunes experts here, and this model has none. Write 'weights: feed-forward' and 'granularity: weight'.");
        if (config.TernaryExperts && config.IsMixture)
            throw new UserInputException("'sparsify' sets small weights to zero, and this model's ternary experts have such zeros already, whose scale would "
                + "follow. Leave it out.");
        WeightGroup[] needed = pruned switch
        {
            PrunedWeights.Experts => [WeightGroup.Experts],
            PrunedWeights.FeedForward => [WeightGroup.FeedForward],
            _ => [WeightGroup.FeedForward, WeightGroup.Attention],
        };
        if (!needed.All(group => options.Only.Contains(WeightGroup.All) || options.Only.Contains(group)
            || group == WeightGroup.Experts && options.Only.Contains(WeightGroup.FeedForward)))
            throw new UserInputException($"'sparsify' prunes the weights of {Words(pruned)}, and 'only' leaves some of them as they are. "
                + "Name them all in 'only', or leave one of the two out.");
    }

    /// <summary>Bytes of the masks.</summary>
    public static long MemoryBytes(TrainOptions options, ModelConfig config) =>
        options.Sparsify is { } sparsify ? PrunedMatrices.WeightsOf(config, PrunedOf(sparsify, config)) : 0;

    /// <summary>Frees the masks.</summary>
    public void Dispose() => Masks.Dispose();

    private static SparsitySchedule ScheduleOf(SparsifyOptions options, TrainPlan plan) =>
        SparsitySchedule.Of(plan.Steps, options.To, options.FromShare, options.UntilShare, options.Ramp, options.Every);

    private static PrunedWeights PrunedOf(SparsifyOptions options, ModelConfig config) =>
        options.Weights ?? (config.IsMixture ? PrunedWeights.Experts : PrunedWeights.FeedForward);

    private static string Words(PrunedWeights pruned) => pruned switch
    {
        PrunedWeights.Experts => "experts",
        PrunedWeights.FeedForward => "feed-forwards",
        _ => "feed-forwards and attention",
    };
}
