using System.Data.Common;
using System.Text.Json;
using Dapper;
using Npgsql;

namespace Espalier.Registry.Queries;

/// <summary>
/// Conditions over lists. However long the list is, the statement keeps its text: what is known of a statement (its plan, the
/// code that reads its rows) is kept by its text.
/// </summary>
internal static class Lists
{
    /// <summary>A column has one of the values of a list parameter: an array on PostgreSQL, JSON on SQLite.</summary>
    public static string In(DbConnection connection, string column, string list) =>
        connection is NpgsqlConnection ? $"{column} = any(@{list})" : $"{column} in (select value from json_each(@{list}))";

    /// <summary>The parameter for <see cref="In"/>.</summary>
    public static DynamicParameters Of<T>(DbConnection connection, string list, IReadOnlyCollection<T> values)
    {
        var parameters = new DynamicParameters();
        parameters.Add(list, connection is NpgsqlConnection ? values.ToArray() : JsonSerializer.Serialize(values));
        return parameters;
    }
}
