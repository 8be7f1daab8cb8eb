using System.Data.Common;
using Dapper;

namespace Espalier.Registry.Queries;

/// <summary>The history of aliases.</summary>
internal static class AliasMoves
{
    public static Task WriteAsync(DbConnection connection, DbTransaction transaction, string model, AliasMove move) =>
        connection.ExecuteAsync(
            "insert into registry_alias_move(name, alias, version, previous, actor, reason, moved_at, kind) values (@model, @Alias, @Version, @Previous, @Actor, @Reason, @At, @Kind)",
            new { model, move.Alias, move.Version, move.Previous, move.Actor, move.Reason, At = Timestamps.Write(move.MovedAt), Kind = WordOf(move.Kind) }, transaction);

    /// <summary>Newest first; <paramref name="before"/> is the time of the last one already read.</summary>
    public static async Task<IReadOnlyList<AliasMove>> ReadAsync(DbConnection connection, string model, string? before, int limit)
    {
        var rows = await connection.QueryAsync<(string Alias, long Version, long? Previous, string Actor, string Reason, string MovedAt, string Kind)>(
            $"""
            select alias, cast(version as bigint), cast(previous as bigint), actor, reason, moved_at, kind from registry_alias_move
            where name = @model {(before is null ? "" : "and moved_at < @before")} order by moved_at desc limit @limit
            """,
            new { model, before, limit }).ConfigureAwait(false);
        return [.. rows.Select(r => new AliasMove(r.Alias, (int)r.Version, (int?)r.Previous, r.Actor, r.Reason, Timestamps.Read(r.MovedAt), Enum.Parse<AliasMoveKind>(r.Kind, ignoreCase: true)))];
    }

    private static string WordOf(AliasMoveKind kind) => kind.ToString().ToLowerInvariant();
}
