using Espalier.Modeling.WeightFormats;

namespace Espalier.Modeling;

/// <summary>Something about a model that loaders which know only its family's published conventions get wrong.</summary>
/// <param name="What">A few words: <c>selection bias</c>.</param>
/// <param name="Note">A sentence or two: what such loaders do, and what avoids it.</param>
public sealed record FamilyGap(string What, string Note)
{
    /// <summary>Every gap of a stored model; none when the family's loaders run it as it is meant.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="tensors">Names of its tensors, as the store has them.</param>
    public static IReadOnlyList<FamilyGap> Of(ModelConfig config, IReadOnlyCollection<string> tensors)
    {
        var names = tensors as IReadOnlySet<string> ?? tensors.ToHashSet(StringComparer.Ordinal);
        return Of(config, Has(TensorNames.RouterBias), Has(TensorNames.SelectionBias));

        bool Has(Func<int, string> nameOf) => config.SparseLayers.Any(layer => names.Contains(nameOf(layer)));
    }

    /// <summary>Every gap of a model, by what its headers say.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="hasRouterBias">Whether routers have a learned logit bias.</param>
    /// <param name="hasSelectionBias">Whether routers have a selection bias.</param>
    public static IReadOnlyList<FamilyGap> Of(ModelConfig config, bool hasRouterBias, bool hasSelectionBias)
    {
        var family = ModelFamily.Of(config.Family);
        var gaps = new List<FamilyGap>();
        if (hasRouterBias)
            gaps.Add(Ignored(family, "router bias", "it chooses other experts",
                "Growth without 'preserve: frozen' and with a router method other than bias-only adds none"));
        if (hasSelectionBias && !family.HasSelectionBias)
            gaps.Add(Ignored(family, "selection bias", "it chooses other experts, which can cost more than 4-bit weights do",
                "Train with 'selection-bias: fold', which leads it to zero and leaves it out, or with 'balance: loss'"));
        if (family.HasSelectionBias && !hasSelectionBias && config.IsMixture)
            gaps.Add(new FamilyGap("no selection bias",
                $"{family.Architecture} expects a selection bias in every router and may start it at arbitrary values. Training writes one of zeros."));
        if (config.Quantization is { } packed && !WeightFormat.Of(packed.Format).IsPublished)
            gaps.Add(new FamilyGap($"weights stored as {packed.Format}",
                $"Only this platform reads weights stored as {packed.Format}. Quantize with format {WeightFormat.Default} for other loaders."));
        gaps.AddRange(Of(config));
        return gaps;
    }

    /// <summary>The gaps that the configuration alone shows, whatever tensors there are.</summary>
    public static IReadOnlyList<FamilyGap> Of(ModelConfig config)
    {
        var family = ModelFamily.Of(config.Family);
        return
        [
            .. config.KeysBeyondFamily(family).Select(key => OfKey(config, family, key)).OfType<FamilyGap>().DistinctBy(gap => gap.What),
            .. OfClipping(config, family), .. OfWindows(config, family),
        ];
    }

    private static FamilyGap? OfKey(ModelConfig config, ModelFamily family, string key) => key switch
    {
        "routing" => Ignored(family, "sibling-exclusive routing", "it chooses experts freely",
            "Training with 'release-siblings' below 1 ends in free routing"),
        "score-function" => Ignored(family, $"{(config.ScoreFunction == ScoreFunction.Sigmoid ? "sigmoid" : "softmax")} scores",
            $"its gates are those of {(family.ScoreFunction == ScoreFunction.Sigmoid ? "sigmoid" : "softmax")} scores",
            "Train with the family's score function"),
        "norm-topk-prob" => Ignored(family, config.NormalizeTopK ? "gates divided by their sum" : "gates not divided by their sum",
            "its gates are larger or smaller", "Choose 'normalize-top-k' as the family has it"),
        "query-key-norm" => Ignored(family, $"query and key norms: {ModelConfig.NameOf(config.QueryKeyNorm)}", "its attention differs",
            "Grow a dense model into the family that its attention fits"),
        "query-key-value-bias" or "output-bias" => Ignored(family, "attention biases", "its attention differs",
            "Grow a dense model with biases into a family that has them: 'family: qwen2_moe' has those of queries, keys and values"),
        "dense-layers" => Ignored(family, "dense layers", "it looks for experts in every layer", family.FirstDenseLayers is not null
            ? "The family's dense layers are the first ones: method depth with 'leading: once' repeats only what follows them"
            : "Grow every layer, or grow into a family that says which layers are dense: 'family: qwen2_moe'"),
        "shared-size" when config.SharedSize == 0 => new FamilyGap("no shared expert",
            $"{family.Architecture} has a shared expert in every layer, and loaders fill the missing tensors with random numbers. "
            + "Grow the dense model again: a shared expert of zeros, which changes nothing, is written now."),
        "shared-size" when family.SharedExperts is not null && !config.SharedGate => Ignored(family, "a shared expert of another width",
            $"it expects a multiple of the experts' width {config.ExpertSize} (n_shared_experts) where {config.SharedSize} is stored",
            "Keep the ratio of shared to routed width whole"),
        "shared-size" => Ignored(family, "a shared expert", "the expert is left out", "Grow with 'shared: none', or into a family that has shared experts"),
        "routed-scale" => Ignored(family, "scaled gates", "its gates are larger or smaller", "Grow or train in a family that has routed_scaling_factor"),
        "ternary-experts" => Ignored(family, "ternary experts", "it uses the latent weights",
            "No published family has ternary experts; use method sparse instead of mote"),
        "top-p" => Ignored(family, FormattableString.Invariant($"top-p routing ({config.TopP:0.###})"),
            $"every token uses {config.ExpertsPerToken} experts, more than it was trained with", "Train with 'top-p: 1', which ends it"),
        "windowed-layers" => Ignored(family, "attention windows", "every layer sees the whole text",
            "Grow with 'shared: none', into a family that has windows"),
        _ => null,
    };

    private static IEnumerable<FamilyGap> OfClipping(ModelConfig config, ModelFamily family)
    {
        if (config.ClipQkv is not null && !family.HasClipKey)
            yield return Ignored(family, "clamped queries, keys and values", "its attention differs", "clip_qkv is a key of OLMoE alone");
    }

    // Readers before layer_types know max_window_layers, or a window for all layers.
    private static IEnumerable<FamilyGap> OfWindows(ModelConfig config, ModelFamily family)
    {
        var windowed = config.WindowedLayers;
        var isTail = family.Window == AttentionWindow.Flagged && family.FirstWindowedLayer is not null
            && windowed.SequenceEqual(Enumerable.Range(config.Layers - windowed.Count, windowed.Count));
        var isAll = family.Window == AttentionWindow.Stated && windowed.Count == config.Layers;
        if (windowed.Count > 0 && family.Window != AttentionWindow.None && !isTail && !isAll)
            yield return new FamilyGap("attention windows in some layers",
                $"Which layers have an attention window is said by layer_types in config.json; loaders of {family.Architecture} that do not read it "
                + $"give the window to other layers. Texts of up to {config.SlidingWindow} tokens are not affected.");
    }

    private static FamilyGap Ignored(ModelFamily family, string what, string effect, string remedy) => new(
        what, $"{family.Architecture} has no place for this model's {what}: a loader that knows only the published family ignores it, and {effect}. {remedy}.");
}
