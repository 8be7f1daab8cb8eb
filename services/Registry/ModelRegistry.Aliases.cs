using System.Data.Common;
using System.Text.RegularExpressions;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Events;
using Espalier.Registry.Gates;
using Espalier.Registry.Queries;

namespace Espalier.Registry;

/// <summary>Aliases.</summary>
public sealed partial class ModelRegistry
{
    /// <summary>What aliases look like: names, but for those that mean versions.</summary>
    public const string AliasPattern = $"(?!({ReservedAliases})$){NamePattern}";

    /// <summary><see cref="AliasPattern"/> in words.</summary>
    public const string AliasMeaning = NameMeaning + ", and neither 'latest' nor a version's number, which mean versions";

    private const string ReservedAliases = "[lL][aA][tT][eE][sS][tT]|[vV]?[0-9]+";

    private const int LongestReason = 2000;

    private delegate Task<(int Version, AliasMoveKind Kind)> AliasDecision(DbConnection connection, DbTransaction transaction, int? previous);

    /// <summary>Points an alias to a version and records the move.</summary>
    /// <exception cref="UserInputException">No such version, or the alias is not a valid name.</exception>
    /// <exception cref="GateRefusedException">The alias has a gate that the version does not pass.</exception>
    public Task<AliasMove> MoveAliasAsync(
        string model, string alias, int version, string actor, string reason, CancellationToken cancellationToken, Guid? runId = null) =>
        ChangeAliasAsync(model, alias, (_, _, _) => Task.FromResult((version, AliasMoveKind.Moved)), actor, reason, cancellationToken, runId);

    /// <summary>Points an alias to where it pointed before its last move; twice in a row goes back and forth.</summary>
    /// <exception cref="UserInputException">The alias never pointed elsewhere, or that version was deleted.</exception>
    public Task<AliasMove> RevertAliasAsync(string model, string alias, string actor, string reason, CancellationToken cancellationToken) =>
        ChangeAliasAsync(model, alias, async (connection, transaction, _) =>
        {
            var last = await AliasMoves.FindLastAsync(connection, transaction, model, alias).ConfigureAwait(false);
            if (last is not { Previous: > 0 and var previous })
                throw new UserInputException($"'{model}@{alias}' cannot be reverted: it never pointed to another version.");
            if (await VersionReader.FindAsync(connection, model, previous, transaction).ConfigureAwait(false) is null)
            {
                throw new UserInputException(
                    $"'{model}@{alias}' cannot be reverted: it pointed to version {previous} before, which was deleted. Point it to another version instead.");
            }
            return (previous, AliasMoveKind.Reverted);
        }, actor, reason, cancellationToken);

    /// <summary>Takes an alias away and records that.</summary>
    /// <exception cref="UserInputException">There is no such alias.</exception>
    public Task<AliasMove> RemoveAliasAsync(string model, string alias, string actor, string reason, CancellationToken cancellationToken) =>
        ChangeAliasAsync(model, alias, (_, _, previous) => previous is null
            ? throw new UserInputException($"There is no alias '{model}@{alias}'.")
            : Task.FromResult((0, AliasMoveKind.Removed)), actor, reason, cancellationToken);

    /// <summary>The moves of a model's aliases, newest first.</summary>
    public async Task<IReadOnlyList<AliasMove>> MovesAsync(string model, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await AliasMoves.ReadAsync(connection, model, null, 1000).ConfigureAwait(false);
    }

    private async Task<AliasMove> ChangeAliasAsync(
        string model, string alias, AliasDecision decide, string actor, string reason, CancellationToken cancellationToken, Guid? runId = null)
    {
        ValidateAlias(alias);
        if (reason.Length > LongestReason)
            throw new UserInputException($"The reason has {reason.Length} characters; at most {LongestReason} are taken.");
        StorableText.Check(reason, "The reason");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var locked = await connection.ExecuteAsync(
            "update registry_model set name = name where name = @model", new { model }, transaction).ConfigureAwait(false);
        if (locked == 0)
            throw new UserInputException($"There is no model '{Shown(model)}'.");
        var previous = await connection.QuerySingleOrDefaultAsync<int?>(
            "select version from registry_alias where name = @model and alias = @alias", new { model, alias }, transaction).ConfigureAwait(false);
        var (version, kind) = await decide(connection, transaction, previous).ConfigureAwait(false);
        var now = time.GetUtcNow();
        var move = new AliasMove(alias, version, previous, actor, reason, now, kind);
        if (previous == version)
            return move;
        // A revert leads to where the alias was allowed to be before.
        if (kind == AliasMoveKind.Moved && await PromotionGates.DecideAsync(connection, transaction, model, move, runId).ConfigureAwait(false) is { } refusal)
        {
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false); // the refusal stays on record
            throw refusal;
        }
        if (version == 0)
        {
            await connection.ExecuteAsync(
                "delete from registry_alias where name = @model and alias = @alias", new { model, alias }, transaction).ConfigureAwait(false);
        }
        else
        {
            await PointAsync(connection, transaction, model, move).ConfigureAwait(false);
        }
        await AliasMoves.WriteAsync(connection, transaction, model, move).ConfigureAwait(false);
        var message = new AliasMoved(model, alias, version, previous, actor, reason) { RunId = runId };
        await RegistryEvents.AddAsync(connection, transaction, message, Timestamps.Write(now)).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return move;
    }

    private async Task PointAsync(DbConnection connection, DbTransaction transaction, string model, AliasMove move)
    {
        if (await VersionReader.FindAsync(connection, model, move.Version, transaction).ConfigureAwait(false) is not { } version)
            throw new UserInputException($"There is no version {move.Version} of model '{model}'.");
        await connection.ExecuteAsync(
            """
            insert into registry_alias(name, alias, version, version_id) values (@model, @Alias, @Version, @Id)
            on conflict (name, alias) do update set version = excluded.version, version_id = excluded.version_id
            """,
            new { model, move.Alias, move.Version, version.Id }, transaction).ConfigureAwait(false);
        await RecordChangeAsync(connection, transaction, model, move.MovedAt).ConfigureAwait(false);
    }

    internal static void ValidateAlias(string alias)
    {
        ValidateName(alias, "alias");
        if (ReservedAlias().IsMatch(alias))
        {
            throw new UserInputException(
                $"'{alias}' cannot be an alias: 'latest' and 'v' followed by digits mean versions. Choose another word, such as 'candidate'.");
        }
    }

    [GeneratedRegex($@"\A({ReservedAliases})\z")]
    private static partial Regex ReservedAlias();
}
