using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Tokenizers;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Sampling;

/// <summary>A small sample of training text that pruning and quantization look at. Held-out text never calibrates.</summary>
public static class CalibrationSet
{
    /// <summary>Draws <paramref name="samples"/> sequences of <paramref name="length"/> tokens, mixed by bytes, the same for the same seed.</summary>
    /// <returns>(samples, length) token ids.</returns>
    /// <exception cref="UserInputException">The dataset has no training text.</exception>
    public static async Task<long[,]> LoadAsync(
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
        return Draw(split, samples, length, seed);
    }

    /// <summary>As <see cref="LoadAsync"/>, from ids that are open already.</summary>
    public static long[,] Draw(TokenizedSplit split, int samples, int length, long seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        var sampler = new BatchSampler(split, length, batchSize: 1, (long)StatelessRandom.Key(seed, "calibration"));
        var result = new long[samples, length];
        for (var sample = 0; sample < samples; sample++)
        {
            var row = sampler.Batch(sample);
            for (var i = 0; i < length; i++)
                result[sample, i] = row[i];
        }
        return result;
    }
}
