using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Espalier.TestKit.Services;

/// <summary>Writes very many rows: by COPY into PostgreSQL, in one transaction into SQLite.</summary>
internal static class BulkRows
{
    /// <summary>Writes the rows of a table.</summary>
    public static Task InsertAsync(DbConnection connection, string table, string[] columns, IEnumerable<object?[]> rows) =>
        connection is NpgsqlConnection postgres ? CopyAsync(postgres, table, columns, rows) : InsertAsync((SqliteConnection)connection, table, columns, rows);

    private static async Task CopyAsync(NpgsqlConnection connection, string table, string[] columns, IEnumerable<object?[]> rows)
    {
        await using var import = await connection.BeginBinaryImportAsync($"copy {table}({string.Join(',', columns)}) from stdin (format binary)");
        foreach (var row in rows)
            await import.WriteRowAsync(default, row!);
        await import.CompleteAsync();
    }

    private static async Task InsertAsync(SqliteConnection connection, string table, string[] columns, IEnumerable<object?[]> rows)
    {
        await using var transaction = connection.BeginTransaction();
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = $"insert into {table}({string.Join(',', columns)}) values ({string.Join(',', columns.Select((_, i) => $"@p{i}"))})";
        for (var i = 0; i < columns.Length; i++)
            command.Parameters.Add(new SqliteParameter($"@p{i}", null));
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Length; i++)
                command.Parameters[i].Value = row[i] ?? DBNull.Value;
            command.ExecuteNonQuery();
        }
        await transaction.CommitAsync();
    }
}
