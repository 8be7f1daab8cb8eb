using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Tokenizers;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Sampling;

/// <summary>A small sample of training text that stages look at. Held-out text never calibrates.</summary>
public static class CalibrationSet
{
    /// <summary>
    /// Draws sequences of <paramref name="length"/> tokens, mixed by the weights of the dataset's sources or else by bytes, the same for the
    /// same seed. No token is drawn twice: from a text that is too short come fewer sequences. Documents follow each other and are cut where a sequence ends.
    /// </summary>
    /// <exception cref="UserInputException">The dataset has no training text, or less than one sequence.</exception>
    public static async Task<CalibrationSample> LoadAsync(
        ArtifactStore artifacts,
        ManifestRef dataset,
        ITokenizer tokenizer,
        int samples,
        int length,
        long seed,
        DirectoryInfo cache,
        ReportProgress? report,
        CancellationToken cancellationToken)
    {
        var text = await TextDataset.OpenAsync(artifacts, dataset, cancellationToken).ConfigureAwait(false);
        using var split = await TokenizedSplit.OpenAsync(text, DatasetSplits.Train, tokenizer, cache, report, cancellationToken).ConfigureAwait(false);
        return Draw(split, samples, length, seed, text.Properties.Mixture);
    }

    /// <summary>As <see cref="LoadAsync"/>, from ids that are open already.</summary>
    public static CalibrationSample Draw(
        TokenizedSplit split, int samples, int length, long seed, IReadOnlyDictionary<string, double>? weights = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        var sampler = new BatchSampler(split, length, batchSize: 1, (long)StatelessRandom.Key(seed, "calibration"), weights);
        var count = (int)Math.Min(samples, sampler.SequencesPerReading);
        if (count == 0)
            throw TooShort(split, length);
        var ids = new long[count, length];
        var sequence = 0L;
        for (var sample = 0; sample < count; sample++)
        {
            while (!sampler.IsFirstReading(sequence))
                sequence++;
            var row = sampler.Batch(sequence++);
            for (var i = 0; i < length; i++)
                ids[sample, i] = row[i];
        }
        return new CalibrationSample(ids, samples, split.Tokens);
    }

    private static UserInputException TooShort(TokenizedSplit split, int length)
    {
        var longest = split.Domains.Max(domain => domain.Tokens);
        var place = split.Domains.Count == 1 ? "The calibration text" : "The longest domain of the calibration text";
        return new UserInputException(
            $"{place} has {longest} tokens, fewer than one sequence of 'calibration.length' {length}: give more text"
                + (longest > 1 ? $", or a length of at most {longest}." : "."));
    }
}

/// <summary>A drawn sample.</summary>
/// <param name="Ids">(samples, length) token ids.</param>
/// <param name="Asked">Sequences that were asked for; the text may have had fewer.</param>
/// <param name="TextTokens">Tokens of the text that they are drawn from.</param>
public sealed record CalibrationSample(long[,] Ids, int Asked, long TextTokens);
