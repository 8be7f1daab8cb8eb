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
        if (source.ExtraLayers > 0)
            throw new UserInputException(
                "method: depth cannot repeat the prediction layers (num_nextn_predict_layers) of this model. Export it without them first.");
        if ((long)source.Layers * own.Factor > 1024)
            throw new UserInputException($"factor: {source.Layers} layers times {own.Factor} are more than 1024. Use at most {1024 / source.Layers}.");
        if (source.SiblingExclusive)
            throw new UserInputException("method: the model still routes by sibling groups, by a rule that goes by the layer's place. "
                + "Continue its training with 'release-siblings' below 1 first.");
        return source with
        {
            Layers = source.Layers * own.Factor,
            DenseLayers = Repeated(source.DenseLayers, source.Layers, own.Factor),
            WindowedLayers = Repeated(source.WindowedLayers, source.Layers, own.Factor),
            SiblingGroups = source.SiblingGroups is { } groups ? [.. Enumerable.Range(0, own.Factor).SelectMany(_ => groups)] : null,
        };
    }

    /// <inheritdoc/>
    public async Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken)
    {
        var own = growth.Options.Own<DepthOptions>();
        var layers = growth.Source.Config.Layers;
        foreach (var tensor in growth.Source.Manifest.Tensors)
        {
            cancellationToken.ThrowIfCancellationRequested();
            growth.Keep(tensor);
            if (LayerOf(tensor.Name) is not { } layer)
                continue;
            for (var copy = 1; copy < own.Factor; copy++)
            {
                var name = TensorNames.Layer(layer + copy * layers) + tensor.Name[TensorNames.Layer(layer).Length..];
                if (own.Start == AddedLayers.Zero && EndsBranch(tensor.Name))
                    await growth.AddZerosAsync(name, tensor, cancellationToken).ConfigureAwait(false);
                else
                    growth.Keep(tensor, name);
            }
        }
        foreach (var layer in growth.Grown.SparseLayers)
            for (var expert = 0; expert < growth.Grown.Experts; expert++)
                growth.Origin(layer, expert, growth.Source, layer % layers, expert);
    }

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) => 0;

    // What is added to the residual stream last: attention's and the feed-forwards' output projections.
    private static bool EndsBranch(string name) =>
        name.Contains("self_attn.o_proj.", StringComparison.Ordinal) || name.EndsWith(".down_proj.weight", StringComparison.Ordinal);

    private static int? LayerOf(string name)
    {
        var parts = name.Split('.');
        return parts is ["model", "layers", var layer, ..]
            && int.TryParse(layer, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var index) ? index : null;
    }

    private static IReadOnlyList<int> Repeated(IReadOnlyList<int> layers, int period, int factor) =>
        [.. Enumerable.Range(0, factor).SelectMany(copy => layers.Select(layer => layer + copy * period))];
}

/// <summary>Options of <see cref="DepthStacking"/>.</summary>
[MethodOptions(typeof(UpcycleOptions), "depth")]
public sealed record DepthOptions
{
    /// <summary>How many times as many layers.</summary>
    /// <value>2</value>
    [Option("How many times as many layers; the paper uses 4.", Min = 2, Max = 64)]
    public int Factor { get; init; } = 2;

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
