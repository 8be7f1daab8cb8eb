using System.Data.Common;
using System.Globalization;
using Dapper;

namespace Espalier.Registry.Queries;

/// <summary>A condition of a query that one index answers.</summary>
/// <param name="Ids">Statement that gives the ids of the versions that meet it, as <c>version_id</c>.</param>
/// <param name="Parameters">Its values.</param>
internal sealed record Pick(string Ids, DynamicParameters Parameters);

/// <summary>Finds the condition that so few versions meet that a page is read by its index, and its versions are sorted.</summary>
internal static class Picks
{
    private const int Few = 2500;

    /// <summary>Number of that condition; null when each is met by many.</summary>
    public static async Task<int?> ChooseAsync(DbConnection connection, IReadOnlyList<Pick> picks)
    {
        var (best, fewest) = ((int?)null, Few);
        for (var i = 0; i < picks.Count && fewest > 0; i++)
        {
            var found = await connection.ExecuteScalarAsync<int>(string.Create(CultureInfo.InvariantCulture, $"select count(*) from ({picks[i].Ids} limit {fewest}) n"), picks[i].Parameters).ConfigureAwait(false);
            if (found < fewest)
                (best, fewest) = (i, found);
        }
        return best;
    }
}
