using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.WeightFormats;
using Espalier.Quantizer.Grids;

namespace Espalier.Quantizer;

/// <summary>Which weights of a model get codes, layer by layer, and whether a scheme fits their widths.</summary>
internal sealed class TargetMatrices(ModelConfig config, QuantizationTargets targets)
{
    private static readonly string[] AttentionProjections = ["q_proj", "k_proj", "v_proj", "o_proj"];
    private static readonly string[] ExpertProjections = ["gate", "up", "down"];

    /// <summary>Names of the weights of a layer, in a fixed order.</summary>
    public IReadOnlyList<string> OfLayer(int layer) =>
    [
        .. targets == QuantizationTargets.Linear ? Attention(layer).Concat(EveryTokensMlp(layer)) : [],
        .. from expert in Enumerable.Range(0, config.IsSparse(layer) ? config.Experts : 0)
           from projection in ExpertProjections
           select TensorNames.Expert(layer, expert, projection),
    ];

    /// <summary>Refuses a choice of weights that the model does not have, and says what can be chosen.</summary>
    public void CheckFamily()
    {
        if (targets == QuantizationTargets.Experts && !config.IsMixture)
            throw new UserInputException($"'targets' is experts, and the model is dense ({config.Family}): it has none. Use targets linear.");
    }

    /// <summary>Refuses a group size that leaves an incomplete group, or widths that the format cannot store, and names the nearest that fits.</summary>
    public void Check(QuantizationScheme scheme, IWeightFormat format)
    {
        var widths = Widths();
        var multiple = format.ColumnMultiple(scheme.In(format));
        var misfits = widths.Where(width => !Fits(scheme, width.Columns)).ToList();
        if (misfits.Count == 0)
            return;
        var fitting = Enumerable.Range(2, (int)widths.Min(w => w.Columns) - 1)
            .Where(size => widths.All(w => Fits(scheme with { GroupSize = size }, w.Columns)))
            .OrderBy(size => Math.Abs(size - scheme.GroupSize)).ThenByDescending(size => size).ToList();
        var remedy = fitting.Count > 0
            ? $"The nearest group-size that fits every matrix is {fitting[0]}; -1 gives one scale per output channel."
            : $"No group-size fits {scheme.Bits} bits: input widths must be multiples of {multiple}.";
        throw new UserInputException(
            $"group-size {scheme.GroupSize} at {scheme.Bits} bits does not fit "
                + $"{string.Join(" and ", misfits.Select(m => $"the {m.Columns} input columns of {m.What}"))}. {remedy}");

        bool Fits(QuantizationScheme candidate, long columns) => candidate.Fits(columns) && columns % multiple == 0;
    }

    private IEnumerable<string> Attention(int layer) => AttentionProjectionNames().Select(projection => TensorNames.Attention(layer, projection + ".weight"));

    // Latent attention: those that read the residual stream and the one that writes it; the projections out of the latent vectors keep their weights.
    private IReadOnlyList<string> AttentionProjectionNames() =>
        config.Latent is not { } latent ? AttentionProjections : [latent.QueryRank is null ? "q_proj" : "q_a_proj", "kv_a_proj_with_mqa", "o_proj"];

    // A dense layer's MLP, or the shared expert.
    private IEnumerable<string> EveryTokensMlp(int layer) =>
        !config.IsSparse(layer) ? ExpertProjections.Select(projection => TensorNames.DenseMlp(layer, projection))
        : config.SharedSize > 0 ? ExpertProjections.Select(projection => TensorNames.SharedExpert(layer, projection)) : [];

    private List<(string What, long Columns)> Widths() =>
    [
        ("gate_proj and up_proj", config.HiddenSize),
        .. config.IsMixture ? [("down_proj", config.ExpertSize)] : Array.Empty<(string, long)>(),
        .. targets == QuantizationTargets.Linear
            ? [("q_proj, k_proj and v_proj", config.HiddenSize), ("o_proj", (long)config.Heads * config.ValueSize)]
            : Array.Empty<(string, long)>(),
        .. targets == QuantizationTargets.Linear && config.DenseSize > 0 ? [("down_proj of dense layers", config.DenseSize)] : Array.Empty<(string, long)>(),
        .. targets == QuantizationTargets.Linear && config.SharedSize > 0 ? [("down_proj of the shared expert", config.SharedSize)]
            : Array.Empty<(string, long)>(),
    ];
}
