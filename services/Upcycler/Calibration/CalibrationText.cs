using Espalier.Stages;
using Espalier.Datasets.Sampling;
using Espalier.Surgery;

namespace Espalier.Upcycler.Calibration;

/// <summary>The calibration text as token ids, drawn once when it is first needed.</summary>
internal sealed class CalibrationText(StageContext context, MoeCheckpoint source, UpcycleOptions options)
{
    private long[,]? _tokens; // (samples, length)

    /// <summary>Whether the options name any.</summary>
    public bool IsGiven => options.Calibration?.Data is not null;

    /// <summary>The samples in as many batches as the options say, as even as can be.</summary>
    public async Task<IReadOnlyList<long[,]>> BatchesAsync(CancellationToken cancellationToken)
    {
        var tokens = await LoadAsync(cancellationToken).ConfigureAwait(false);
        var (samples, batches) = (tokens.GetLength(0), options.Calibration!.Batches);
        return [.. Enumerable.Range(0, batches).Select(b => Rows(tokens, (int)((long)b * samples / batches), (int)((b + 1L) * samples / batches)))];
    }

    /// <summary>The first samples, at most <paramref name="count"/>.</summary>
    public async Task<long[,]> FirstAsync(int count, CancellationToken cancellationToken)
    {
        var tokens = await LoadAsync(cancellationToken).ConfigureAwait(false);
        return Rows(tokens, 0, Math.Min(count, tokens.GetLength(0)));
    }

    private async Task<long[,]> LoadAsync(CancellationToken cancellationToken) =>
        _tokens ??= await CalibrationSet.LoadAsync(
            context.Artifacts, context.Dataset("calibration.data"), source.LoadTokenizer(), options.Calibration!.Samples, options.Calibration.Length,
            options.Seed, context.Cache, context.Progress.Report, cancellationToken).ConfigureAwait(false);

    private static long[,] Rows(long[,] tokens, int from, int to)
    {
        var length = tokens.GetLength(1);
        var rows = new long[to - from, length];
        Array.Copy(tokens, (long)from * length, rows, 0, rows.LongLength);
        return rows;
    }
}
