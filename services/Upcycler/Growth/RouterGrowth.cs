using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery;
using Espalier.Upcycler.Planning;
using Espalier.Upcycler.Routers;
using Espalier.Artifacts.Checkpoints;

namespace Espalier.Upcycler.Growth;

/// <summary>Reads a layer's router, extends it doubling by doubling, and freezes copies where that is asked for.</summary>
public sealed class RouterGrowth(MoeCheckpoint source, UpcycleOptions options)
{
    // A decoder has logit biases in all layers or in none.
    private readonly bool _hasBias = source.Config.SparseLayers.Any(layer =>
        source.RouterBias(layer) is not null || RouterExtension.Of(options.In(layer)).AddsBias);

    /// <summary>The grown router of one layer, as the grown checkpoint has it.</summary>
    /// <exception cref="UserInputException">The router holds NaN, or the noise vanishes in its element type.</exception>
    public RouterWeights Grow(LayerPlan plan)
    {
        var router = Read(plan.Layer);
        var method = RouterExtension.Of(options.In(plan.Layer));
        var settings = options.In(plan.Layer).Router ?? new RouterOptions();
        for (var doubling = 0; doubling < plan.Doublings.Count; doubling++)
        {
            var random = new KeyedRandom(options.Seed, plan.Layer, TensorNames.Router(plan.Layer), doubling);
            router = method.Extend(router, plan.Doublings[doubling].Order, settings, random);
        }
        if (_hasBias && router.Bias is null)
            router = router with { Bias = new float[router.Experts] };
        router = router with { Rows = Rounded(router.Rows, source.Router(plan.Layer).DType) };
        if (method.Copies != CopyKind.Equal)
            RequireDifference(router, plan);
        if (options.Preserve == Preservation.Wide && source.Config.ScoreFunction == ScoreFunction.Softmax)
            router = router with { SelectionBias = Shared(router.SelectionBias) };
        router = options.Preserve == Preservation.Frozen
            ? FrozenReplicas.Freeze(router, source.Config.Experts,
                source.ReadFloats(source.Tensor(TensorNames.Layer(plan.Layer) + "post_attention_layernorm.weight")))
            : router;
        return router with
        {
            Rows = plan.Arranged(router.Rows),
            Bias = router.Bias is { } bias ? plan.Arranged(bias) : null,
            SelectionBias = router.SelectionBias is { } selection ? plan.Arranged(selection) : null,
        };
    }

    private RouterWeights Read(int layer) => new(
        layer,
        source.Config.HiddenSize,
        source.ReadFloats(source.Router(layer)),
        source.RouterBias(layer) is { } bias ? source.ReadFloats(bias) : null,
        source.SelectionBias(layer) is { } selection ? source.ReadFloats(selection) : null);

    // m equal copies get 1/m of their source's softmax each, so the selection bias that is added to it shrinks alike.
    private float[]? Shared(float[]? selectionBias) =>
        selectionBias is null ? null : [.. selectionBias.Select(b => b / (LayerPlanner.Experts(source.Config.Experts, options) / source.Config.Experts))];

    // As it will be stored, so that what follows sees the numbers that the model will see.
    private static float[] Rounded(float[] rows, string dtype) => FloatBytes.ToFloats(dtype, FloatBytes.FromFloats(dtype, rows));

    private void RequireDifference(RouterWeights router, LayerPlan plan)
    {
        for (var expert = source.Config.Experts; expert < router.Experts; expert++)
        {
            var origin = plan.SourceOf[expert];
            if (router.Row(expert).SequenceEqual(router.Row(origin)) && router.Bias?[expert] == router.Bias?[origin])
                throw new UserInputException(
                    $"router: what method {RouterExtension.Of(options.In(plan.Layer)).Name} adds vanishes in {source.Router(plan.Layer).DType} (layer "
                        + $"{plan.Layer}, expert {expert} stays equal to expert {origin}). Use a larger noise, or another method.");
        }
    }
}
