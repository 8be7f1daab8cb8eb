using Espalier.Contracts;

namespace Espalier.Pipelines.Options;

/// <summary>What other tools, and <c>config.json</c>, call options that have another name here.</summary>
internal static class FamiliarWords
{
    private const string Length = "training is as long as 'tokens' says, such as tokens: 20M";

    private static readonly Dictionary<string, string> Ours = new(StringComparer.OrdinalIgnoreCase)
    {
        ["lr"] = "learning-rate",
        ["max-lr"] = "learning-rate",
        ["batch-size"] = "batch",
        ["per-device-train-batch-size"] = "batch",
        ["micro-batch-size"] = "batch",
        ["seq-len"] = "length",
        ["seq-length"] = "length",
        ["max-seq-len"] = "length",
        ["max-seq-length"] = "length",
        ["sequence-length"] = "length",
        ["context-length"] = "length",
        ["block-size"] = "length",
        ["hidden-size"] = "hidden",
        ["d-model"] = "hidden",
        ["n-embd"] = "hidden",
        ["num-hidden-layers"] = "layers",
        ["num-layers"] = "layers",
        ["n-layer"] = "layers",
        ["num-attention-heads"] = "heads",
        ["n-head"] = "heads",
        ["num-experts"] = "experts",
        ["num-local-experts"] = "experts",
        ["n-routed-experts"] = "experts",
        ["num-experts-per-tok"] = "top-k",
        ["topk"] = "top-k",
        ["intermediate-size"] = "expert-size",
        ["moe-intermediate-size"] = "expert-size",
        ["ffn-size"] = "expert-size",
        ["vocab-size"] = "vocabulary",
        ["dataset"] = "data",
        ["corpus"] = "data",
        ["train-data"] = "data",
        ["wbits"] = "bits",
        ["sparsity"] = "ratio",
        ["prune-ratio"] = "ratio",
        ["pruning-ratio"] = "ratio",
        ["nsamples"] = "samples",
        ["num-samples"] = "samples",
        ["warmup-steps"] = "warmup",
    };

    private static readonly Dictionary<string, string> Others = new(StringComparer.OrdinalIgnoreCase)
    {
        ["epochs"] = Length,
        ["num-epochs"] = Length,
        ["num-train-epochs"] = Length,
        ["steps"] = Length,
        ["max-steps"] = Length,
        ["train-steps"] = Length,
    };

    /// <summary>The end of a message about an unknown option.</summary>
    public static string Hint(string word, IReadOnlyCollection<string> valid)
    {
        var kebab = word.Replace('_', '-');
        if (Ours.TryGetValue(kebab, out var ours) && valid.Contains(ours))
            return $"here it is '{ours}'";
        return Others.TryGetValue(kebab, out var hint) && valid.Contains("tokens") ? hint : NearestWord.Hint(kebab, valid);
    }
}
