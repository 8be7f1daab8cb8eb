using Espalier.Modeling;

namespace Espalier.Quantizer.Folding;

/// <summary>The groups of a layer in which scales can be folded without a change of what it computes.</summary>
internal static class FoldGroups
{
    private static readonly string[] Readers = ["gate", "up"];

    /// <summary>
    /// Those with a matrix that gets codes: attention's input, the input of its output projection, the input of the MLP or of all experts with their
    /// router, and the hidden vector of each expert. The output projection of latent attention has no place for scales, nor has one behind clamped
    /// values, which are no longer linear.
    /// </summary>
    /// <param name="config">The model.</param>
    /// <param name="layer">Which layer.</param>
    /// <param name="coded">Names of the layer's matrices that get codes.</param>
    /// <param name="names">Names of all the model's tensors.</param>
    public static IReadOnlyList<FoldGroup> Of(ModelConfig config, int layer, IReadOnlyCollection<string> coded, IReadOnlyCollection<string> names)
    {
        var (isCoded, isThere) = (coded.ToHashSet(StringComparer.Ordinal), names.ToHashSet(StringComparer.Ordinal));
        var (value, output) = (TensorNames.Attention(layer, "v_proj.weight"), TensorNames.Attention(layer, "o_proj.weight"));
        var groups = new List<FoldGroup> { Input("input_layernorm.weight", AttentionReaders()) };
        if (config is { Latent: null, ClipQkv: null } && isCoded.Contains(output))
        {
            groups.Add(new FoldGroup
            {
                Coded = [output],
                Maker = value,
                MakerBias = Existing(TensorNames.Attention(layer, "v_proj.bias")),
                MakerIsNorm = false,
                Repeats = config.Heads / config.KeyValueHeads,
                HeadSize = config.HeadSize,
            });
        }
        var mlps = Mlps().ToList();
        groups.Add(Input("post_attention_layernorm.weight",
            [.. mlps.SelectMany(mlp => Readers.Select(mlp)), TensorNames.Router(layer), TensorNames.SharedExpertGate(layer)]));
        groups.AddRange(mlps.Where(mlp => isCoded.Contains(mlp("down")))
            .Select(mlp => new FoldGroup { Coded = [mlp("down")], Maker = mlp("up"), MakerIsNorm = false }));
        return [.. groups.Where(group => group.Coded.Count > 0)];

        FoldGroup Input(string norm, IReadOnlyList<string> readers) => new()
        {
            Coded = [.. readers.Where(isCoded.Contains)],
            Plain = [.. readers.Where(name => !isCoded.Contains(name) && isThere.Contains(name))],
            Maker = TensorNames.Layer(layer) + norm,
            MakerIsNorm = true,
        };

        string? Existing(string name) => isThere.Contains(name) ? name : null;

        IReadOnlyList<string> AttentionReaders() =>
            [.. (config.Latent is not { } latent ? (string[])["q_proj", "k_proj", "v_proj"]
                : [latent.QueryRank is null ? "q_proj" : "q_a_proj", "kv_a_proj_with_mqa"]).Select(name => TensorNames.Attention(layer, name + ".weight"))];

        IEnumerable<Func<string, string>> Mlps()
        {
            if (!config.IsSparse(layer))
            {
                yield return projection => TensorNames.DenseMlp(layer, projection);
                yield break;
            }
            for (var expert = 0; expert < config.Experts; expert++)
            {
                var own = expert;
                yield return projection => TensorNames.Expert(layer, own, projection);
            }
            if (config.SharedSize > 0)
                yield return projection => TensorNames.SharedExpert(layer, projection);
        }
    }
}
