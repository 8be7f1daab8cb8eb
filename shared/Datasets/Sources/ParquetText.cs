using System.Runtime.CompilerServices;
using Espalier.Contracts;
using Parquet;
using Parquet.Schema;

namespace Espalier.Datasets.Sources;

/// <summary>
/// Documents of a column of text in a Parquet file, one a row; rows without a value are left out. A group of rows is read at a time.
/// Documents are named by the hash of their text.
/// </summary>
internal static class ParquetText
{
    private const long MostGroupBytes = 512L << 20;
    private const int MostGroupRows = 50_000_000;

    /// <summary>Text of a file.</summary>
    /// <exception cref="UserInputException">It is no Parquet file, is damaged, or has no such column of text.</exception>
    public static async IAsyncEnumerable<Document> ReadAsync(string path, string field, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var file = OpenFile(path);
        var reader = await GuardAsync(path, "", () => ParquetReader.CreateAsync(file, cancellationToken: cancellationToken)).ConfigureAwait(false);
        await using var _ = reader.ConfigureAwait(false);
        var column = ColumnOf(reader.Schema, path, field);
        for (var group = 0; group < reader.RowGroupCount; group++)
        {
            var texts = await GuardAsync(path, $" in row group {group + 1}", () => ReadGroupAsync(reader, group, column, path, cancellationToken))
                .ConfigureAwait(false);
            foreach (var text in texts)
            {
                if (text?.Length > TextPieces.LongestDocument)
                    throw new UserInputException($"{path}, row group {group + 1}: {TextPieces.TooLong}.");
                if (text?.Length > 0)
                    yield return new Document(TextPieces.NameOf(text), text);
            }
        }
    }

    /// <summary>Refuses a file that has no such column of text.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    public static void Check(string path, string field)
    {
        using var file = OpenFile(path);
        var schema = Task.Run(() => GuardAsync(path, "", () => ParquetReader.ReadSchemaAsync(file))).GetAwaiter().GetResult();
        ColumnOf(schema, path, field);
    }

    // Parquet is read from its end, so the stream must seek.
    private static FileStream OpenFile(string path)
    {
        OwnFile.Open(path).Dispose();
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16, useAsync: true);
    }

    private static DataField ColumnOf(ParquetSchema schema, string path, string field)
    {
        var column = schema.DataFields.FirstOrDefault(f => f.Path.ToString() == field)
            ?? throw new UserInputException($"{path}: {FieldNames.Missing(field, [.. schema.DataFields.Select(f => f.Path.ToString())])}.");
        var isText = column.ClrType == typeof(string) || column.ClrType == typeof(ReadOnlyMemory<char>);
        return isText && !column.IsArray && column.MaxRepetitionLevel == 0
            ? column
            : throw new UserInputException(
                $"{path}: its field '{field}' is not text, but {(column.MaxRepetitionLevel > 0 ? "lists" : column.ClrType.Name)}: name another 'field'.");
    }

    private static async Task<string?[]> ReadGroupAsync(
        ParquetReader reader, int group, DataField column, string path, CancellationToken cancellationToken)
    {
        using var rows = reader.OpenRowGroupReader(group);
        var bytes = rows.GetMetadata(column)?.MetaData?.TotalUncompressedSize ?? 0;
        if (rows.RowCount is < 0 or > MostGroupRows || bytes > MostGroupBytes)
            throw new UserInputException(
                $"{path}: row group {group + 1} has {rows.RowCount} rows and {bytes} bytes of '{column.Name}'; "
                    + $"at most {MostGroupRows} rows and {MostGroupBytes >> 20} MiB are read at once: write the file again with smaller row groups.");
        var texts = new string?[rows.RowCount];
        await rows.ReadAsync(column, texts.AsMemory(), cancellationToken: cancellationToken).ConfigureAwait(false);
        return texts;
    }

    /// <summary>The library meets damaged bytes with whatever they lead it into.</summary>
    private static async Task<T> GuardAsync<T>(string path, string place, Func<Task<T>> read)
    {
        try
        {
            return await read().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or UserInputException or OutOfMemoryException))
        {
            throw new UserInputException($"{path} cannot be read{place}: it is damaged or cut off, or no Parquet file. {e.Message}", e);
        }
    }
}
