using System.Data.Common;
using System.Text.Json;
using Dapper;
using Npgsql;

namespace Espalier.Registry.Queries;

/// <summary>
/// A condition "column in list". The text of the statement does not depend on the length of the list, so prepared plans and
/// Dapper's row readers, which are cached by that text, are reused.
/// </summary>
internal static class InCondition
{
    /// <summary>A column has one of the values of a list parameter: an array on PostgreSQL, JSON on SQLite.</summary>
    public static string Sql(DbConnection connection, string column, string list) =>
        connection is NpgsqlConnection ? $"{column} = any(@{list})" : $"{column} in (select value from json_each(@{list}))";

    /// <summary>The parameter for <see cref="Sql"/>.</summary>
    public static DynamicParameters Parameter<T>(DbConnection connection, string list, IReadOnlyCollection<T> values)
    {
        var parameters = new DynamicParameters();
        parameters.Add(list, connection is NpgsqlConnection ? values.ToArray() : JsonSerializer.Serialize(values));
        return parameters;
    }
}
