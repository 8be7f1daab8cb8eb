using Espalier.CptTrainer.Options;
using Espalier.Modeling;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Training for several numbers of experts per token: every optimizer step draws one, each as likely. Between steps
/// the model has its own, with which it is measured and saved. What is drawn is a function of the seed and of the step alone.
/// </summary>
internal sealed class ElasticRouting(TrainOptions options, MoeDecoder decoder)
{
    private readonly int _own = decoder.Config.ExpertsPerToken;

    /// <summary>Sets the number of a step, before its forward pass.</summary>
    /// <param name="number">Number of the step in the order of the data.</param>
    public void Draw(long number)
    {
        if (options.Elastic is not { } range)
            return;
        var drawn = RandomStream.SeedOf(options.Seed, FormattableString.Invariant($"experts per token {number}")) % (range.Most - range.Least + 1);
        decoder.ChangeRouting(decoder.Config.SiblingExclusive, range.Least + (int)drawn);
    }

    /// <summary>Sets the model's own number, after a step.</summary>
    public void Restore()
    {
        if (options.Elastic is not null)
            decoder.ChangeRouting(decoder.Config.SiblingExclusive, _own);
    }
}
