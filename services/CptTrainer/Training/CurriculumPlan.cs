using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Datasets.Sampling;
using Espalier.Datasets.Tokens;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// The mixtures of a run, in sequences. A stage ends at its share of all tokens that were asked for, counted from the beginning of the seed's
/// order: batch size, workers, and where a run was stopped or goes on with <c>skip</c> change no sequence of it.
/// </summary>
internal static class CurriculumPlan
{
    /// <summary>The stages: one, where nothing changes.</summary>
    /// <param name="options">The options.</param>
    /// <param name="domains">What the dataset has.</param>
    /// <param name="own">Weights of the dataset itself; null for by size.</param>
    /// <param name="areGiven">Whether somebody wrote the weights.</param>
    /// <exception cref="UserInputException">A mixture names a domain that there is not.</exception>
    public static IReadOnlyList<MixtureStage> StagesOf(
        TrainOptions options, IReadOnlyList<TokenizedDomain> domains, IReadOnlyDictionary<string, double>? own, out bool areGiven)
    {
        var given = options.Mixture is { Count: > 0 } mixture ? mixture : own;
        areGiven = given is not null || options.Curriculum is not null;
        return options.Curriculum is not { } stages
            ? [new MixtureStage(MixingWeights.Resolve(domains, given))]
            : [.. stages.Select((stage, i) => new MixtureStage(Resolve(domains, stage, i), i == stages.Count - 1 ? null : EndOf(options, stage)))];
    }

    /// <summary>Share of the sequences of this run that each domain gives.</summary>
    public static IReadOnlyDictionary<string, double> MixtureOf(TrainOptions options, BatchSampler sampler)
    {
        if (options.Curriculum is null)
            return sampler.Shares[0];
        var perStep = (long)options.Batch * options.Accumulate * (options.Workers ?? 1);
        var first = TrainPlan.StepsOf(options, options.Skip) * perStep;
        var count = TrainPlan.StepsOf(options, options.Tokens) * perStep;
        var (before, after) = (sampler.Counts(first), sampler.Counts(first + count));
        return after.ToDictionary(domain => domain.Key, domain => (double)(domain.Value - before[domain.Key]) / count);
    }

    /// <summary>The stages as they are drawn; null where there is but one.</summary>
    public static IReadOnlyList<DrawnStage>? Describe(IReadOnlyList<MixtureStage> stages, BatchSampler sampler) => stages.Count == 1 ? null
        : [.. stages.Zip(sampler.Shares, (stage, shares) => new DrawnStage(stage.Until * sampler.Length, shares))];

    private static IReadOnlyDictionary<string, double> Resolve(IReadOnlyList<TokenizedDomain> domains, CurriculumStage stage, int number)
    {
        try
        {
            return MixingWeights.Resolve(domains, stage.Mixture);
        }
        catch (UserInputException e)
        {
            throw new UserInputException($"Stage {number + 1} of 'curriculum': {e.Message}", e);
        }
    }

    private static long EndOf(TrainOptions options, CurriculumStage stage) =>
        (long)Math.Round(stage.Until!.Value * (options.Skip + options.Tokens) / options.Length);
}

/// <summary>A stage of the data.</summary>
/// <param name="Until">Tokens of the seed's order of the data after which the next begins; null for the last.</param>
/// <param name="Mixture">Share of the sequences that each domain gives.</param>
public sealed record DrawnStage(long? Until, IReadOnlyDictionary<string, double> Mixture);
