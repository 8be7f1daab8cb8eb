using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>Ways to train a mixture: which fit a model, and what becomes part of it.</summary>
internal static class MixtureMethods
{
    private const double EntropyWeight = 1e-4; // of the released models of dynamic routing
    private const double UsualRouterRate = 0.01;

    /// <summary>The model as these options train it.</summary>
    public static ModelConfig Apply(TrainOptions options, ModelConfig config) => config with
    {
        TopP = TopP(options, config),
        Elastic = Served(options),
        Router = RouterOf(options, config),
    };

    /// <summary>Says in the model how these options train it.</summary>
    public static void Apply(TrainOptions options, MoeDecoder decoder)
    {
        decoder.ChangeTopP(TopP(options, decoder.Config));
        decoder.Serve(Served(options));
        decoder.ChangeRouter(RouterOf(options, decoder.Config));
    }

    /// <summary>How the routers of the model are trained.</summary>
    public static RouterKind RouterOf(TrainOptions options, ModelConfig config) => config.IsMixture ? options.Router ?? config.Router : RouterKind.Learned;

    /// <summary>Whether routers follow the means of their tokens: those of k-means do, unless the options leave routers as they are.</summary>
    public static bool FollowsTokens(TrainOptions options, ModelConfig config) => RouterOf(options, config) == RouterKind.KMeans && TrainsRouters(options);

    /// <summary>The routers' means, where they have some.</summary>
    public static KMeansRouters? MeansOf(TrainOptions options, MoeDecoder decoder) =>
        FollowsTokens(options, decoder.Config) ? new KMeansRouters(decoder, options.RouterRate ?? UsualRouterRate) : null;

    /// <summary>Weight of the routers' entropy.</summary>
    /// <param name="options">The options.</param>
    /// <param name="config">The model as it is trained.</param>
    public static double EntropyLoss(TrainOptions options, ModelConfig config) => options.EntropyLoss ?? (config.TopP is null ? 0 : EntropyWeight);

    /// <summary>Weights that a token of a mean optimizer step uses; at most so many with top-p routing.</summary>
    public static double ActiveParameters(TrainOptions options, ModelConfig config) => config.ActiveParameters + (options.Elastic is not { } elastic ? 0
        : config.SparseLayers.Count * ((elastic.Least + elastic.Most) / 2.0 - config.ExpertsPerToken) * config.ExpertParameters);

    /// <summary>What whoever uses the model must know of it.</summary>
    public static IReadOnlyList<string> NotesOf(ModelConfig config) => [.. NotesOfRouter(config), .. NotesOfElastic(config)];

    private static IReadOnlyList<string> NotesOfRouter(ModelConfig config) => config.Router == RouterKind.Learned ? [] :
    [
        "Its routers are those of k-means: rows of length 1 along the means of each expert's tokens. Every loader runs them as learned ones, to the same "
            + "result; training elsewhere, or with 'router: learned', moves them by gradients.",
    ];

    private static IReadOnlyList<string> NotesOfElastic(ModelConfig config) => config.Elastic is not { } elastic ? [] :
    [
        $"Trained with {elastic.Least} to {elastic.Most} experts per token. Loaders use the number in config.json, num_experts_per_tok "
            + $"{config.ExpertsPerToken}: change it there for another, or evaluate with 'experts-per-token'.",
    ];

    /// <summary>Refuses routers of k-means for a model whose routers have a learned bias.</summary>
    /// <exception cref="UserInputException">It has.</exception>
    public static void CheckBias(TrainOptions options, ModelConfig config, bool hasRouterBias)
    {
        if (hasRouterBias && RouterOf(options, config) == RouterKind.KMeans)
            throw new UserInputException("Routers of k-means choose by the cosine alone, and this model's routers have a learned bias, as growth with "
                + "'preserve: frozen' or 'router: bias-only' leaves one. Write 'router: learned'.");
    }

    private static void CheckRouter(TrainOptions options, ModelConfig config)
    {
        if (RouterOf(options, config) == RouterKind.Learned)
        {
            if (options.RouterRate is not null)
                throw new UserInputException("'router-rate' is how fast the means of k-means routers move, and this model's are learned. "
                    + "Write 'router: k-means' beside it, or leave it out.");
            return;
        }
        if (options.Router is not null && !TrainsRouters(options))
            throw new UserInputException("'router: k-means' moves routers, and 'only' leaves them as they are. Name routers in 'only', or leave one of "
                + "the two out.");
        if (options.Rates?.Of(WeightGroup.Routers) is not null)
            throw new UserInputException("Routers of k-means have no learning rate: leave 'rates.routers' out, 'router-rate' says how fast they move.");
        if (config.SiblingExclusive)
            throw new UserInputException("Routers of k-means choose experts by their tokens, and this model was grown with 'preserve: sibling-exclusive', "
                + "whose tokens choose groups. Train it with 'router: learned' until its siblings are released.");
        if (options.Workers > 1)
            throw new UserInputException("Several workers train routers by gradients only: write 'router: learned', or leave 'workers' out.");
    }

    private static bool TrainsRouters(TrainOptions options) => options.Only.Contains(WeightGroup.All) || options.Only.Contains(WeightGroup.Routers);

    /// <summary>Refuses options that do not fit the model.</summary>
    /// <exception cref="UserInputException">With what to change.</exception>
    public static void Check(TrainOptions options, ModelConfig config)
    {
        if (!config.IsMixture && OptionOfMixtures(options) is { } option)
            throw new UserInputException($"'{option}' is about experts, and this model has none. Leave it out, or train a mixture.");
        CheckRouter(options, config);
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
        : options.Router is not null ? "router"
        : options.RouterRate is not null ? "router-rate"
        : options.EntropyLoss > 0 ? "entropy-loss" : null;

    private static double? TopP(TrainOptions options, ModelConfig config) => options.TopP switch
    {
        null => config.TopP,
        >= 1 => null,
        var p => p,
    };

    private static ElasticExperts? Served(TrainOptions options) => options.Elastic is { } elastic ? new ElasticExperts(elastic.Least, elastic.Most) : null;
}
