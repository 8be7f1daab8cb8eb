using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>Between what numbers the experts per token of a step are drawn, each as likely.</summary>
public sealed record ElasticOptions
{
    /// <summary>Fewest experts per token.</summary>
    [Option("Fewest experts per token.", Required = true, Min = 1, Max = 1 << 16)]
    public int Least { get; init; }

    /// <summary>Most experts per token.</summary>
    [Option("Most experts per token.", Required = true, Min = 1, Max = 1 << 16)]
    public int Most { get; init; }
}

/// <summary>From the fewest to the most.</summary>
internal sealed class ElasticRules : AbstractValidator<TrainOptions>
{
    public ElasticRules()
    {
        RuleFor(options => options.Elastic)
            .Must(elastic => elastic is null || elastic.Least <= elastic.Most)
            .WithMessage("'elastic.least' is above 'elastic.most': write the smaller number in 'least'");
        RuleFor(options => options.Elastic)
            .Null().When(options => options.TopP < 1)
            .WithMessage("'elastic' draws how many experts tokens take, and 'top-p' leaves it to each token: leave one of them out");
    }
}
