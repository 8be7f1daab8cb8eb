using System.Data.Common;
using Npgsql;

namespace Espalier.Registry.Queries;

/// <summary>Conditions over lists, which the databases write in two ways.</summary>
internal static class Lists
{
    /// <summary>A column has one of the values of a list parameter. PostgreSQL takes an array; for SQLite the list is written out.</summary>
    public static string In(DbConnection connection, string column, string list) =>
        connection is NpgsqlConnection ? $"{column} = any(@{list})" : $"{column} in @{list}";
}
