using System.Data.Common;
using System.Globalization;
using Dapper;

namespace Espalier.Registry.Queries;

/// <summary>A condition of a query that one index answers.</summary>
/// <param name="Rows">Statement with a row for each version that meets it, cheap to count.</param>
/// <param name="Ids">Statement that gives their ids as <c>version_id</c>.</param>
/// <param name="Parameters">Its values.</param>
internal sealed record Pick(string Rows, string Ids, DynamicParameters Parameters)
{
    /// <summary>Whether another one stands for it together with others.</summary>
    public bool IsPart { get; init; }
}

/// <summary>
/// Decides how a page of versions is read: along the index of its order, passing over what does not fit, or by the index of
/// the condition that fewest versions meet, whose versions are then sorted. Whichever reads fewer rows.
/// </summary>
internal static class Picks
{
    private const int MostCounted = 5000;

    /// <summary>Number of the condition to begin with; null to go along the order.</summary>
    public static async Task<int?> ChooseAsync(DbConnection connection, IReadOnlyList<Pick> picks, int limit)
    {
        if (picks.Count == 0)
            return null;
        var all = Math.Max(1, await connection.ExecuteScalarAsync<long>("select value from registry_counter where name = 'version'").ConfigureAwait(false));
        var (best, fewest, share) = ((int?)null, double.MaxValue, 1.0);
        for (var i = 0; i < picks.Count; i++)
        {
            var found = await connection.ExecuteScalarAsync<long>(
                string.Create(CultureInfo.InvariantCulture, $"select count(*) from ({picks[i].Rows} limit {MostCounted}) n"), picks[i].Parameters).ConfigureAwait(false);
            share *= picks[i].IsPart ? 1 : Math.Min(1, Math.Max(found, 0.5) / all);
            if (found < MostCounted && found < fewest)
                (best, fewest) = (i, found);
        }
        // Rows passed before a page is full, as if conditions had nothing to do with each other; a picked row is looked up and sorted, which costs about twice.
        return 2 * fewest < Math.Min(all, limit / share) ? best : null;
    }
}
