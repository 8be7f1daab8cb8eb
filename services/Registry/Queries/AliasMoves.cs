using System.Data.Common;
using Dapper;

namespace Espalier.Registry.Queries;

/// <summary>The history of aliases. Its order is that of the moves' numbers, whatever the clock said.</summary>
internal static class AliasMoves
{
    private const string Columns =
        "number as Number, alias as Alias, cast(version as bigint) as Version, cast(previous as bigint) as Previous, "
        + "actor as Actor, reason as Reason, moved_at as MovedAt, kind as Kind";

    public static Task WriteAsync(DbConnection connection, DbTransaction transaction, string model, AliasMove move) =>
        connection.ExecuteAsync(
            """
            insert into registry_alias_move(name, alias, version, previous, actor, reason, moved_at, kind)
            values (@model, @Alias, @Version, @Previous, @Actor, @Reason, @At, @Kind)
            """,
            new
            {
                model, move.Alias, move.Version, move.Previous, move.Actor, move.Reason,
                At = Timestamps.Write(move.MovedAt), Kind = move.Kind.ToString().ToLowerInvariant(),
            },
            transaction);

    /// <summary>The last move of an alias, or null.</summary>
    public static async Task<AliasMove?> FindLastAsync(DbConnection connection, DbTransaction transaction, string model, string alias)
    {
        var rows = await connection.QueryAsync<Row>(
            $"select {Columns} from registry_alias_move where name = @model and alias = @alias order by number desc limit 1",
            new { model, alias }, transaction).ConfigureAwait(false);
        return rows.FirstOrDefault()?.ToMove();
    }

    /// <summary>Newest first; <paramref name="before"/> is the number of the last one already read.</summary>
    public static async Task<IReadOnlyList<AliasMove>> ReadAsync(DbConnection connection, string model, long? before, int limit)
    {
        var rows = await connection.QueryAsync<Row>(
            $"""
            select {Columns} from registry_alias_move
            where name = @model {(before is null ? "" : "and number < @before")} order by number desc limit @limit
            """,
            new { model, before, limit }).ConfigureAwait(false);
        return [.. rows.Select(r => r.ToMove())];
    }

    private sealed class Row
    {
        public long Number { get; set; }
        public string Alias { get; set; } = "";
        public long Version { get; set; }
        public long? Previous { get; set; }
        public string Actor { get; set; } = "";
        public string Reason { get; set; } = "";
        public string MovedAt { get; set; } = "";
        public string Kind { get; set; } = "";

        public AliasMove ToMove() =>
            new(Alias, (int)Version, (int?)Previous, Actor, Reason, Timestamps.Read(MovedAt), Enum.Parse<AliasMoveKind>(Kind, ignoreCase: true))
            {
                Number = Number,
            };
    }
}
