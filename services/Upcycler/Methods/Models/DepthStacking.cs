using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Options;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>What the layers that are added begin as.</summary>
public enum AddedLayers
{
    /// <summary>The whole stack again: target layer j is source layer j mod l. Not exact; the paper's choice.</summary>
    Stack,

    /// <summary>The same, with the output projections of attention and feed-forward at zero: the function stays exactly the same.</summary>
    Zero,
}

/// <summary>What becomes of dense layers at the start of a mixture.</summary>
public enum LeadingLayers
{
    /// <summary>They are repeated with the rest.</summary>
    Repeat,

    /// <summary>They stay once, before everything else, as loaders of DeepSeek's families expect.</summary>
    Once,
}

/// <summary>
/// Depth growth: a trained stack of l layers repeated g times (G_stack, arXiv 2405.15319; g 4). Repeated layers name the
/// bytes of their sources. How long to train the small model first: <see cref="StackTiming"/>.
/// </summary>
public sealed class DepthStacking : IModelGrowth
{
    /// <inheritdoc/>
    public string Name => "depth";

    /// <inheritdoc/>
    public string Summary => "Repeats the whole stack of layers (arXiv 2405.15319), or adds layers whose output starts at zero.";

    /// <inheritdoc/>
    public ModelConfig Configure(ModelConfig source, GrowthOptions options)
    {
        var own = options.Own<DepthOptions>();
        if (own.Start == AddedLayers.Zero)
            DenseFamilies.RequirePlain(source, "depth with 'start: zero'");
        if (own.Leading == LeadingLayers.Once && Leading(source) == 0)
            throw new UserInputException("leading: this model has no dense layers at its start before layers with experts. Leave 'leading' out.");
        if ((long)source.Layers * own.Factor > 1024)
            throw new UserInputException($"factor: {source.Layers} layers times {own.Factor} are more than 1024. Use at most {1024 / source.Layers}.");
        if (source.SiblingExclusive)
            throw new UserInputException("method: the model still routes by sibling groups, by a rule that goes by the layer's place. "
                + "Continue its training with 'release-siblings' below 1 first.");
        var order = Order(source, own);
        return source with
        {
            Layers = order.Count,
            DenseLayers = Repeated(source.DenseLayers, order),
            WindowedLayers = Repeated(source.WindowedLayers, order),
            SiblingGroups = source.SiblingGroups is { } groups ? [.. order.Select(layer => groups[layer])] : null,
        };
    }

    /// <inheritdoc/>
    public async Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken)
    {
        var own = growth.Options.Own<DepthOptions>();
        var order = Order(growth.Source.Config, own);
        var byLayer = growth.Source.Manifest.Tensors.ToLookup(tensor => TensorNames.LayerOf(tensor.Name));
        foreach (var tensor in byLayer[null])
            growth.Keep(tensor);
        for (var target = 0; target < order.Count; target++)
        {
            var layer = order[target];
            foreach (var tensor in byLayer[layer])
            {
                cancellationToken.ThrowIfCancellationRequested();
                var name = TensorNames.Layer(target) + tensor.Name[TensorNames.Layer(layer).Length..];
                if (target != layer && own.Start == AddedLayers.Zero && EndsBranch(tensor.Name))
                    await growth.AddZerosAsync(name, tensor, cancellationToken).ConfigureAwait(false);
                else
                    growth.Keep(tensor, name);
            }
        }
        foreach (var layer in growth.Grown.SparseLayers)
            for (var expert = 0; expert < growth.Grown.Experts; expert++)
                growth.Origin(layer, expert, growth.Source, order[layer], expert);
    }

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) => 0;

    // What is added to the residual stream last: attention's and the feed-forwards' output projections.
    private static bool EndsBranch(string name) =>
        name.Contains("self_attn.o_proj.", StringComparison.Ordinal) || name.EndsWith(".down_proj.weight", StringComparison.Ordinal);

    // The source layer of each layer of the deep model.
    private static IReadOnlyList<int> Order(ModelConfig source, DepthOptions own)
    {
        var first = own.Leading == LeadingLayers.Once ? Leading(source) : 0;
        var repeated = Enumerable.Range(first, source.Layers - first);
        return [.. Enumerable.Range(0, first), .. Enumerable.Range(0, own.Factor).SelectMany(_ => repeated)];
    }

    private static int Leading(ModelConfig source) =>
        source.IsMixture ? Enumerable.Range(0, source.Layers).TakeWhile(layer => !source.IsSparse(layer)).Count() : 0;

    private static IReadOnlyList<int> Repeated(IReadOnlyList<int> layers, IReadOnlyList<int> order) =>
        [.. Enumerable.Range(0, order.Count).Where(target => layers.Contains(order[target]))];
}

/// <summary>Options of <see cref="DepthStacking"/>.</summary>
[MethodOptions(typeof(UpcycleOptions), "depth")]
public sealed record DepthOptions
{
    /// <summary>How many times as many layers.</summary>
    /// <value>2</value>
    [Option("How many times as many layers; the paper uses 4.", Min = 2, Max = 64)]
    public int Factor { get; init; } = 2;

    /// <summary>What becomes of dense layers at the start of a mixture.</summary>
    /// <value>repeat</value>
    [Option("Dense layers at the start of a mixture (DeepSeek): repeat them with the rest; once: keep them once, which the family's loaders can run.")]
    public LeadingLayers Leading { get; init; } = LeadingLayers.Repeat;

    /// <summary>What the added layers begin as.</summary>
    /// <value>stack</value>
    [Option("stack: the whole stack again; zero: the same with output projections at zero, which keeps the function exactly.")]
    public AddedLayers Start { get; init; } = AddedLayers.Stack;

    /// <summary>Tokens that the deep model is meant to be trained on in all; the report then says how many the small one should have seen.</summary>
    [Option("Tokens that the deep model is meant for in all: the report then says after how many the small one is best stacked.",
        Kind = OptionKind.Count, Min = 1, Max = 1e18)]
    public long? TotalTokens { get; init; }
}

/// <summary>
/// log10 d = 0.88 log10 N + 163.27 / log10 C - 5.74 with C = 6 N D: tokens d of the small model before stacking to N parameters for D tokens
/// (arXiv 2405.15319, its repository).
/// </summary>
public static class StackTiming
{
    /// <summary>Tokens of the small model.</summary>
    /// <param name="parameters">Parameters of the deep model, N.</param>
    /// <param name="tokens">Tokens that the deep model is meant for, D.</param>
    public static double SmallModelTokens(double parameters, double tokens) =>
        Math.Pow(10, 0.88 * Math.Log10(parameters) + 163.27 / Math.Log10(6 * parameters * tokens) - 5.74);
}
