using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>Ways to train a mixture: which fit a model, and what becomes part of it.</summary>
internal static class MixtureMethods
{
    private const double EntropyWeight = 1e-4; // of the released models of dynamic routing

    /// <summary>The model as these options train it.</summary>
    public static ModelConfig Apply(TrainOptions options, ModelConfig config) => config with
    {
        TopP = TopP(options, config),
        Elastic = Served(options),
    };

    /// <summary>Says in the model how these options train it.</summary>
    public static void Apply(TrainOptions options, MoeDecoder decoder)
    {
        decoder.ChangeTopP(TopP(options, decoder.Config));
        decoder.Serve(Served(options));
    }

    /// <summary>Weight of the routers' entropy.</summary>
    /// <param name="options">The options.</param>
    /// <param name="config">The model as it is trained.</param>
    public static double EntropyLoss(TrainOptions options, ModelConfig config) => options.EntropyLoss ?? (config.TopP is null ? 0 : EntropyWeight);

    /// <summary>Weights that a token of a mean optimizer step uses; at most so many with top-p routing.</summary>
    public static double ActiveParameters(TrainOptions options, ModelConfig config) => config.ActiveParameters + (options.Elastic is not { } elastic ? 0
        : config.SparseLayers.Count * ((elastic.Least + elastic.Most) / 2.0 - config.ExpertsPerToken) * config.ExpertParameters);

    /// <summary>What whoever uses the model must know of it.</summary>
    public static IReadOnlyList<string> NotesOf(ModelConfig config) => config.Elastic is not { } elastic ? [] :
    [
        $"Trained with {elastic.Least} to {elastic.Most} experts per token. Loaders use the number in config.json, num_experts_per_tok "
            + $"{config.ExpertsPerToken}: change it there for another, or evaluate with 'experts-per-token'.",
    ];

    /// <summary>Refuses options that do not fit the model.</summary>
    /// <exception cref="UserInputException">With what to change.</exception>
    public static void Check(TrainOptions options, ModelConfig config)
    {
        if (!config.IsMixture && OptionOfMixtures(options) is { } option)
            throw new UserInputException($"'{option}' is about experts, and this model has none. Leave it out, or train a mixture.");
        if (TopP(options, config) is not null && config.ScoreFunction == ScoreFunction.Sigmoid)
            throw new UserInputException("'top-p' adds up probabilities, and this model's routers give sigmoid scores. Leave it out.");
        if (TopP(options, config) is not null && config.SiblingExclusive)
            throw new UserInputException("'top-p' leaves the choice of experts to each token, and this model was grown with 'preserve: sibling-exclusive', "
                + "whose tokens choose groups. Train it until its siblings are released, and then with 'top-p'.");
        if (options.Elastic is not { } elastic)
            return;
        if (TopP(options, config) is not null)
            throw new UserInputException("'elastic' draws how many experts tokens take, and this model has top-p routing, which leaves it to each token. "
                + "Write 'top-p: 1' to end that, or leave 'elastic' out.");
        if (config.TargetExpertsPerToken is { } target)
            throw new UserInputException(
                $"'elastic' draws how many experts tokens take, and this model is on its way back to {target}. Train it first without.");
        if (config.SiblingExclusive)
            throw new UserInputException("'elastic' draws how many experts tokens take, and this model was grown with 'preserve: sibling-exclusive', "
                + "whose tokens choose groups. Train it until its siblings are released, and then with 'elastic'.");
        var most = config.Experts / config.ExpertGroups * config.ChosenGroups;
        if (elastic.Most > most)
            throw new UserInputException($"'elastic.most' is {elastic.Most}, and a token of this model can use {most} experts at most.");
        if (config.ExpertsPerToken < elastic.Least || config.ExpertsPerToken > elastic.Most)
            throw new UserInputException($"'elastic' goes from {elastic.Least} to {elastic.Most}, and the model's own number of experts per token, "
                + $"which it keeps, is {config.ExpertsPerToken}: choose a range around it.");
    }

    private static string? OptionOfMixtures(TrainOptions options) =>
        options.Capacity is not null ? "capacity"
        : options.ExpertDropout > 0 ? "expert-dropout"
        : options.BalanceScope is not null ? "balance-scope"
        : options.TopP is not null ? "top-p"
        : options.Elastic is not null ? "elastic"
        : options.EntropyLoss > 0 ? "entropy-loss" : null;

    private static double? TopP(TrainOptions options, ModelConfig config) => options.TopP switch
    {
        null => config.TopP,
        >= 1 => null,
        var p => p,
    };

    private static ElasticExperts? Served(TrainOptions options) => options.Elastic is { } elastic ? new ElasticExperts(elastic.Least, elastic.Most) : null;
}
