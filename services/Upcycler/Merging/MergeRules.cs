using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages.Methods;

namespace Espalier.Upcycler.Merging;

/// <summary>What can be merged, and how options go together; checked by the plan and again before anything is read.</summary>
internal static class MergeRules
{
    /// <summary>Checks options against the number of models.</summary>
    /// <returns>The method, and a weight for each model.</returns>
    /// <exception cref="UserInputException">All problems.</exception>
    public static (IMergeMethod Method, IReadOnlyList<double> Weights) Check(MergeOptions options, int models, bool hasBase)
    {
        var method = MethodCatalog<IMergeMethod>.Get(options.Method, "method");
        var weights = options.Weights ?? [.. Enumerable.Repeat(1.0, models)];
        var problems = new List<string>();
        if (models == 0)
            problems.Add("there is no model to merge: name the steps that make them in 'needs'.");
        if (method.Models is { } number && number != models)
            problems.Add($"method: {method.Name} takes {number} models, and there are {models}.");
        if (weights.Count != models)
            problems.Add($"weights: {weights.Count} numbers for {models} models: give one for each, in the order of 'needs'.");
        if (!method.NeedsBase && weights.Any(w => w < 0))
            problems.Add($"weights: {method.Name} takes no numbers below 0; task-arithmetic does.");
        if (!method.NeedsBase && weights.Count > 0 && weights.Sum() <= 0)
            problems.Add("weights: they add up to 0.");
        if (method.NeedsBase && !hasBase)
            problems.Add($"base: {method.Name} adds up what models have changed: name the model that they were trained from.");
        if (!method.NeedsBase && hasBase)
            problems.Add($"base: {method.Name} has no use for it: leave it out.");
        if (options.Density is not null && method is not (Ties or Dare))
            problems.Add("density: only ties and dare keep a share of the changes.");
        return problems.Count == 0 ? (method, weights) : throw new UserInputException([.. problems.Select(p => new Problem("merge", 0, 0, p))]);
    }

    /// <summary>Checks that models are of one shape.</summary>
    /// <param name="configs">Name and configuration of each, the first one being what the others are compared with.</param>
    /// <exception cref="UserInputException">All problems.</exception>
    public static void CheckShapes(IReadOnlyList<(string Name, ModelConfig Config)> configs)
    {
        var (firstName, first) = configs[0];
        var problems = new List<string>();
        foreach (var (name, config) in configs.Where(c => c.Config.Quantization is not null))
            problems.Add($"'{name}' holds packed weights ({config.Quantization!.Bits} bits): merge the models that it was quantized from, then quantize.");
        foreach (var (name, config) in configs.Skip(1))
        {
            foreach (var (what, ours, theirs) in new (string, object, object)[]
            {
                ("family (model_type)", first.Family, config.Family), ("vocabulary (vocab_size)", first.VocabularySize, config.VocabularySize),
                ("width (hidden_size)", first.HiddenSize, config.HiddenSize), ("layers", first.Layers, config.Layers),
                ("experts", first.Experts, config.Experts), ("experts per token", first.ExpertsPerToken, config.ExpertsPerToken),
                ("width of experts", first.ExpertSize, config.ExpertSize), ("heads", (first.Heads, first.KeyValueHeads), (config.Heads, config.KeyValueHeads)),
            })
            {
                if (!ours.Equals(theirs))
                    problems.Add($"'{name}' has another {what} than '{firstName}': {theirs}, not {ours}. Only models of one shape can be merged.");
            }
        }
        if (problems.Count > 0)
            throw new UserInputException([.. problems.Select(p => new Problem("merge", 0, 0, p))]);
    }
}
