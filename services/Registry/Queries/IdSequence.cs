using System.Data.Common;
using Dapper;

namespace Espalier.Registry.Queries;

/// <summary>Numbers that are handed out once.</summary>
internal static class IdSequence
{
    /// <summary>The next number of a kind. The counter stays locked until the transaction ends, so numbers become visible in their order.</summary>
    public static Task<long> NextIdAsync(this DbConnection connection, DbTransaction transaction, string name) =>
        connection.QuerySingleAsync<long>("update registry_counter set value = value + 1 where name = @name returning value", new { name }, transaction);
}
