using Espalier.Contracts;
using Espalier.Modeling;
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
        .. targets == QuantizationTargets.Linear ? Attention(layer).Select(module => module + ".weight") : [],
        .. from expert in Enumerable.Range(0, config.Experts)
           from projection in ExpertProjections
           select TensorNames.Expert(layer, expert, projection),
    ];

    /// <summary>Linear modules that keep their weights, by exact name, as compressed-tensors lists them.</summary>
    public IReadOnlyList<string> IgnoredModules() =>
    [
        "lm_head",
        .. from layer in Enumerable.Range(0, config.Layers)
           from module in (IEnumerable<string>)
               [.. targets == QuantizationTargets.Experts ? Attention(layer) : [], TensorNames.Layer(layer) + "mlp.gate"]
           select module,
    ];

    /// <summary>Refuses a group size that leaves an incomplete group or an incomplete word, and names the nearest that fits.</summary>
    public void Check(QuantizationScheme scheme)
    {
        var widths = Widths();
        var misfits = widths.Where(width => !scheme.Fits(width.Columns)).ToList();
        if (misfits.Count == 0)
            return;
        var fitting = Enumerable.Range(2, (int)widths.Min(w => w.Columns) - 1)
            .Where(size => widths.All(w => (scheme with { GroupSize = size }).Fits(w.Columns)))
            .OrderBy(size => Math.Abs(size - scheme.GroupSize)).ThenByDescending(size => size).ToList();
        var remedy = fitting.Count > 0
            ? $"The nearest group-size that fits every matrix is {fitting[0]}; -1 gives one scale per output channel."
            : $"No group-size fits {scheme.Bits} bits: input widths must be multiples of {32 / scheme.Bits}.";
        throw new UserInputException(
            $"group-size {scheme.GroupSize} at {scheme.Bits} bits does not fit {string.Join(" and ", misfits.Select(m => $"the {m.Columns} input columns of {m.What}"))}. {remedy}");
    }

    private static IEnumerable<string> Attention(int layer) =>
        AttentionProjections.Select(projection => $"{TensorNames.Layer(layer)}self_attn.{projection}");

    private List<(string What, long Columns)> Widths() =>
    [
        ("gate_proj and up_proj", config.HiddenSize),
        ("down_proj", config.ExpertSize),
        .. targets == QuantizationTargets.Linear
            ? [("q_proj, k_proj and v_proj", config.HiddenSize), ("o_proj", (long)config.Heads * config.HeadSize)]
            : Array.Empty<(string, long)>(),
    ];
}
