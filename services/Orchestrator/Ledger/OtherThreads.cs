using Espalier.Contracts;
using Espalier.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// Steps that a worker may take although their key was computed for workers with another number of threads: it computes with theirs, to the
/// same bits, and goes on from their finished units.
/// </summary>
internal static class OtherThreads
{
    /// <summary>
    /// Besides the offer: a step that was begun may be taken at once, since its worker is gone; others are left to the workers that they were
    /// prepared for as long as those take them.
    /// </summary>
    public const string Condition = "(attempt > 0 or ready_at <= @left)";

    /// <summary>How long a step that nobody has begun is left to the workers that it was prepared for.</summary>
    public static readonly TimeSpan Left = TimeSpan.FromSeconds(10);

    /// <summary>More threads than this for each of the worker's own would rather stand in each other's way than get on.</summary>
    private const int MostForOne = 8;

    /// <summary>Offers of ready steps that the worker can compute with another number of threads; as <see cref="StageCatalog.Offer"/> writes them.</summary>
    public static async Task<IReadOnlyList<string>> OffersAsync(DatabaseTransaction transaction, IReadOnlyList<StageOffer> offers)
    {
        if (!offers.Any(o => NumericsClasses.ThreadsOf(o.NumericsClass) is not null))
            return [];
        var ready = await transaction.QueryAsync<string>(
            $"select distinct offer from step where state = 'ready' and offer is not null and not_before <= @Now and {Condition}",
            new { transaction.Now, left = LeftAt(transaction) }).ConfigureAwait(false);
        return [.. ready.Where(offer => offers.Any(own => Fits(own, offer)))];
    }

    /// <summary>The value of <c>@left</c> in <see cref="Condition"/>.</summary>
    public static long LeftAt(DatabaseTransaction transaction) => transaction.Now - (long)Left.TotalMilliseconds;

    private static bool Fits(StageOffer own, string offer) =>
        StageCatalog.NumericsClassOf(offer) is var wanted
        && NumericsClasses.DifferInThreadsOnly(own.NumericsClass, wanted)
        && NumericsClasses.ThreadsOf(wanted) <= NumericsClasses.ThreadsOf(own.NumericsClass) * MostForOne
        && offer == StageCatalog.Offer(own.Kind, own.Version, wanted);
}
