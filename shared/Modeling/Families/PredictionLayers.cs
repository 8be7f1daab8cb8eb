namespace Espalier.Modeling;

/// <summary>
/// Layers that predict further tokens (multi-token prediction, DeepSeek-V3's <c>num_nextn_predict_layers</c>), see
/// <see cref="ModelConfig.ExtraLayers"/>: stored, and not run. What changes a model so that they no longer fit it leaves them out and says so.
/// </summary>
public static class PredictionLayers
{
    /// <summary>The sentence for <c>notes</c> about layers that were left out; none when the model has none.</summary>
    /// <param name="source">The model as it was.</param>
    /// <param name="reason">Why, as the end of a sentence.</param>
    public static IReadOnlyList<string> LeftOut(ModelConfig source, string reason) => source.ExtraLayers == 0 ? [] :
    [
        $"The model's {source.ExtraLayers} prediction layer(s), model.layers.{source.Layers} and on (num_nextn_predict_layers), were left out: {reason}. "
        + "Nothing else in the model depends on them; only decoding several tokens at once does.",
    ];
}
