using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Stages.Methods;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>What a method wants to see of the calibration text.</summary>
public enum CalibrationNeed
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Which tokens go to which expert, with activations.</summary>
    Activations,

    /// <summary>That, and the loss gradient at every expert's output.</summary>
    Gradients,
}

/// <summary>Which single weights of a matrix go.</summary>
public enum WeightPattern
{
    /// <summary>The share of every row that the ratio says, the lowest scores first.</summary>
    Row,

    /// <summary>Two of every four neighbours in a row.</summary>
    TwoOfFour,
}

/// <summary>Ranks what can be taken away. Stateless: sums over the calibration text live in <see cref="LayerSums"/>.</summary>
public interface IPruningMethod : IStageMethod
{
    /// <summary>What it can rank; the first is what it ranks unless the options say otherwise.</summary>
    IReadOnlyList<Granularity> Granularities { get; }

    /// <summary>What it wants to see.</summary>
    CalibrationNeed Need { get; }

    /// <summary>
    /// Names of the sums that <see cref="Observe"/> shall add up under these options; no other is kept. Tokens, gates and the
    /// largest output of each expert are there without asking.
    /// </summary>
    IReadOnlyList<string> Sums(JsonElement options) => [];

    /// <summary>Adds one expert's share of one batch to those of the layer's sums that are <see cref="LayerSums.IsCollected">collected</see>.</summary>
    void Observe(ExpertObservation seen, LayerSums sums)
    {
    }

    /// <summary>As <see cref="Observe"/>, once per block and batch, for methods that look across experts.</summary>
    void ObserveBlock(BlockObservation seen, LayerSums sums)
    {
    }

    /// <summary>What is wrong with the method's own options for a model, each with its remedy; the ranges of single options are checked before.</summary>
    IEnumerable<string> Problems(PruneOptions options, JsonElement written, ModelConfig config) => [];

    /// <summary>
    /// Scores of one layer, larger is worth more: (E) for experts, (E F) expert after expert for neurons. Within one
    /// model all layers are on one scale.
    /// </summary>
    double[] Score(LayerSums sums, ScoreRequest request);

    /// <summary>
    /// Experts of which the calibration text tells too little for a score as the method means it, so that something simpler stands in; too large a
    /// share is refused (<see cref="PruneOptions.MaxFallback"/>).
    /// </summary>
    IReadOnlyList<int> Fallbacks(LayerSums sums, JsonElement options) => [];

    /// <summary>What of one matrix goes, for methods that rank single weights.</summary>
    /// <value>the ratio of every row</value>
    WeightPattern Pattern => WeightPattern.Row;

    /// <summary>Scores of the single weights of one matrix, in its shape, larger is worth more; the caller's dispose scope takes them.</summary>
    /// <exception cref="NotSupportedException">The method does not rank single weights.</exception>
    Tensor ScoreWeights(int expert, string projection, LayerSums sums, ScoreRequest request) =>
        throw new NotSupportedException($"{Name} does not rank single weights.");
}

/// <summary>What is to be scored.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Granularity">Experts or neurons.</param>
/// <param name="Seed">Seed of random draws.</param>
/// <param name="Options">All options as written, from which a method reads its own.</param>
public sealed record ScoreRequest(int Layer, Granularity Granularity, long Seed, JsonElement Options)
{
    private readonly LayerWeights? _weights;

    /// <summary>The layer's weights, read when they are asked for.</summary>
    public LayerWeights Weights
    {
        get => _weights ?? throw new InvalidOperationException("This request has no weights to look at.");
        init => _weights = value;
    }

    /// <summary>The method's own options.</summary>
    public T Read<T>() where T : new() => ReadOptions<T>(Options);

    /// <summary>A method's own options, from all of them.</summary>
    public static T ReadOptions<T>(JsonElement options) where T : new() =>
        options.ValueKind == JsonValueKind.Object ? options.Deserialize<T>(WireJson.Options)! : new T();
}
