using System.Data.Common;
using System.Globalization;
using Dapper;

namespace Espalier.Registry.Queries;

/// <summary>A condition on versions that one index answers.</summary>
/// <param name="Ids">Statement that gives the ids of the versions that meet it, as <c>version_id</c>.</param>
/// <param name="Parameters">Its values.</param>
internal sealed record IndexedCondition(string Ids, DynamicParameters Parameters)
{
    private const int Few = 2500;

    /// <summary>
    /// Index of the condition that the fewest versions meet, if they are few enough to be read by its index and sorted for a page;
    /// null when many meet each of them.
    /// </summary>
    public static async Task<int?> MostSelectiveAsync(DbConnection connection, IReadOnlyList<IndexedCondition> conditions)
    {
        var (best, fewest) = ((int?)null, Few);
        for (var i = 0; i < conditions.Count && fewest > 0; i++)
        {
            var statement = string.Create(CultureInfo.InvariantCulture, $"select count(*) from ({conditions[i].Ids} limit {fewest}) n");
            var found = await connection.ExecuteScalarAsync<int>(statement, conditions[i].Parameters).ConfigureAwait(false);
            if (found < fewest)
                (best, fewest) = (i, found);
        }
        return best;
    }
}
