using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Methods;
using Espalier.Stages.Methods;

namespace Espalier.Pruner;

/// <summary>Which options go together, checked before any tensor is read; every problem is reported with its remedy.</summary>
public static class PruneRules
{
    /// <summary>What the method takes away under these options.</summary>
    /// <param name="options">Options of the stage.</param>
    /// <param name="written">The same as written, with the method's own.</param>
    /// <param name="method">The method.</param>
    /// <param name="config">The model to prune.</param>
    /// <exception cref="UserInputException">All problems.</exception>
    public static Granularity Check(PruneOptions options, JsonElement written, IPruningMethod method, ModelConfig config)
    {
        if (!config.IsMixture)
            throw new UserInputException([new Problem("prune", 0, 0, $"the model is dense ({config.Family}) and has no experts to remove. "
                + "Make experts of its feed-forward layers first: upcycle with method sparse.")]);
        var granularity = options.Granularity ?? method.Granularities[0];
        var problems = new List<string>();
        if (!method.Granularities.Contains(granularity))
        {
            var others = MethodCatalog<IPruningMethod>.All.Where(m => m.Granularities.Contains(granularity)).Select(m => m.Name);
            problems.Add($"granularity: {method.Name} ranks {Words(method.Granularities)}, not {Word(granularity)}. "
                + $"Change 'granularity', or use {string.Join(" or ", others)}.");
        }
        if (method.Need != CalibrationNeed.None && options.Calibration?.Data is null && options.Ratio > 0)
            problems.Add($"calibration: {method.Name} needs text: add calibration: {{ data: corpus:NAME or file:PATH }}, or use method random.");
        if (options.Calibration is { MaxSamples: not null, TokensPerExpert: 0 })
            problems.Add("calibration.max-samples: it limits how many samples are taken for 'tokens-per-expert', which is not set. "
                + "Set it, or write 'samples' alone.");
        if (options.Calibration is { TokensPerExpert: > 0, MaxSamples: { } most } text && most < text.Samples)
            problems.Add($"calibration.max-samples: {most} is below 'samples', {text.Samples}, with which it begins. Raise it, or lower 'samples'.");
        if (options.ProtectSuperExperts && options.Calibration?.Data is null)
            problems.Add("protect-super-experts: they are found on text: add calibration: { data: corpus:NAME or file:PATH }.");
        if (options.ProtectSuperExperts && granularity == Granularity.Neuron && options.Scope == PruneScope.Uniform)
            problems.Add("protect-super-experts: with scope uniform every expert gives up the same number of neurons, so none can stay whole. "
                + "Use scope global, or granularity expert.");
        if (options.Scope != PruneScope.Uniform && granularity == Granularity.Weight)
            problems.Add("scope: single weights compete within a row of their own matrix, so that no row is emptied. Use scope uniform.");
        if (options.Scope == PruneScope.Layer && granularity == Granularity.Expert)
            problems.Add("scope: whole experts always compete within their layer. Use scope uniform, which does so, or granularity neuron.");
        if (options.Scope == PruneScope.Global && granularity == Granularity.Expert)
            problems.Add("scope: layers must keep the same number of experts, so whole experts cannot compete across layers. "
                + "Use scope uniform, or granularity neuron.");
        if (config.Quantization is not null && granularity == Granularity.Neuron)
            problems.Add("this model's weights are packed, and neurons cannot be cut out of packed groups. "
                + "Prune the model it was quantized from, then quantize again.");
        if (config.Quantization is not null && granularity == Granularity.Weight)
            problems.Add("this model's weights are packed, and single ones cannot be set to zero there. "
                + "Prune the model it was quantized from, then quantize again.");
        if (config.ExpertGroups > 1 && granularity == Granularity.Expert && options.Ratio > 0)
            problems.Add($"granularity: tokens choose among {config.ExpertGroups} groups of neighbouring experts (n_group), which must stay equal, so "
                + "whole experts cannot go. Use granularity neuron, with method heapr or random.");
        problems.AddRange(method.Problems(options, written, config));
        return problems.Count == 0
            ? granularity
            : throw new UserInputException([.. problems.Select(p => new Problem("prune", 0, 0, p))]);
    }

    /// <summary>What of the calibration text must be looked at.</summary>
    public static CalibrationNeed NeedOf(PruneOptions options, IPruningMethod method) =>
        options.Ratio == 0 ? CalibrationNeed.None
        : options.ProtectSuperExperts && method.Need == CalibrationNeed.None ? CalibrationNeed.Activations
        : method.Need;

    private static string Words(IEnumerable<Granularity> granularities) => string.Join(" and ", granularities.Select(g => $"{Word(g)}s"));

    /// <summary>A granularity as users write it.</summary>
    public static string Word(Granularity granularity) => granularity.ToString().ToLowerInvariant();
}
