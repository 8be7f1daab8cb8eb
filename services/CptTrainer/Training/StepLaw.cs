using System.Globalization;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Surgery.Estimates;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// The Step Law (arXiv 2503.04715): of N weights beside embedding and head and D tokens, the best learning rate is
/// 1.79 N^-0.713 D^0.307, and the best batch 0.58 D^0.571 tokens. Of a mixture N counts all experts: the lower, safer rate.
/// </summary>
public static class StepLaw
{
    /// <summary>The word for a number that it chooses.</summary>
    public const string Word = "auto";

    /// <summary>Stands for the word in the options.</summary>
    public const int Auto = -1;

    /// <summary>Of a micro-batch; more sequences are taken one micro-batch after the other.</summary>
    private const long MostActivations = 2L << 30;

    /// <summary>The best largest learning rate.</summary>
    /// <param name="weights">Weights beside embedding and head.</param>
    /// <param name="tokens">Tokens of the run.</param>
    public static double LearningRate(double weights, double tokens) => 1.79 * Math.Pow(weights, -0.713) * Math.Pow(tokens, 0.307);

    /// <summary>The best tokens of an optimizer step.</summary>
    /// <param name="tokens">Tokens of the run.</param>
    public static double BatchTokens(double tokens) => 0.58 * Math.Pow(tokens, 0.571);

    /// <summary>The options with numbers in place of <c>auto</c>.</summary>
    /// <exception cref="UserInputException">They say a part of what is to be chosen.</exception>
    public static TrainOptions Resolve(TrainOptions options, ModelConfig config)
    {
        if (options.LearningRate == Auto)
            options = options with { LearningRate = Rounded(LearningRate(WeightsOf(config), options.Tokens)) };
        if (options.Batch != Auto)
            return options;
        if (options.Accumulate != 1)
            throw new UserInputException($"accumulate is {options.Accumulate}, but batch: auto chooses it too. Leave it out, or say the batch.");
        // Tokens passed over are part of the plan: a run in two steps has the batch of the whole.
        var sequences = (long)Math.Clamp(Math.Round(BatchTokens(options.Tokens + options.Skip) / options.Length), 1, MostSequences(options));
        var together = Math.Min(sequences, LargestMicroBatch(options, config));
        var parts = (sequences + together - 1) / together;
        return options with { Batch = (int)((sequences + parts - 1) / parts), Accumulate = (int)parts };
    }

    /// <summary>What was chosen, in sentences; none when nothing was.</summary>
    public static IReadOnlyList<string> Describe(TrainOptions asked, TrainOptions resolved)
    {
        var sentences = new List<string>();
        if (asked.LearningRate == Auto)
            sentences.Add(string.Create(CultureInfo.InvariantCulture, $"learning-rate: auto is {resolved.LearningRate:g3}, by the Step Law."));
        if (asked.Batch == Auto)
        {
            var tokens = (long)resolved.Batch * resolved.Accumulate * resolved.Length;
            sentences.Add(string.Create(CultureInfo.InvariantCulture,
                $"batch: auto is {resolved.Batch} sequences, accumulate {resolved.Accumulate}: {tokens:n0} tokens a step, by the Step Law."));
        }
        return sentences;
    }

    /// <summary>Weights beside embedding and head.</summary>
    internal static long WeightsOf(ModelConfig config) =>
        config.TotalParameters - (config.TieEmbeddings ? 1L : 2L) * config.VocabularySize * config.HiddenSize;

    // A step has at least one sequence, and a run at least ten steps where it has the tokens.
    private static long MostSequences(TrainOptions options) => Math.Clamp((options.Tokens + options.Skip) / options.Length / 10, 1, 1 << 24);

    private static long LargestMicroBatch(TrainOptions options, ModelConfig config)
    {
        var largest = 1L;
        while (largest < 1 << 16 && MemoryEstimate.Training(config, 2 * largest * options.Length, options.Length, options.Recompute) <= MostActivations)
            largest *= 2;
        return largest;
    }

    private static double Rounded(double rate) => double.Parse(rate.ToString("g3", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
