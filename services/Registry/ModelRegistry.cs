using System.Data.Common;
using System.Globalization;
using System.Text.RegularExpressions;
using Dapper;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>Names, integer versions from 1, and aliases that move. A version never changes; an alias move is recorded.</summary>
public sealed partial class ModelRegistry(RegistryDatabase database, TimeProvider time)
{
    private const string Columns = "name as Model, version as Version, root as Root, size_bytes as SizeBytes, step_key as StepKey, run_id as RunId, card as Card, created_at as CreatedAt";

    /// <summary>Registers a checkpoint under a name. The same (name, step key) again returns the version it got the first time.</summary>
    /// <returns>The version and whether this call made it.</returns>
    public async Task<(ModelVersion Version, bool IsNew)> RegisterAsync(NewVersion request, CancellationToken cancellationToken)
    {
        ValidateName(request.Model, "model name");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        // The row of the model is the lock under which its next version number is taken.
        await connection.ExecuteAsync(
            "insert into registry_model(name, created_at) values (@Model, @Now) on conflict (name) do update set created_at = registry_model.created_at",
            new { request.Model, Now = Now() }, transaction).ConfigureAwait(false);
        var known = await connection.QuerySingleOrDefaultAsync<int?>(
            "select version from registry_version where name = @Model and step_key = @Key",
            new { request.Model, Key = request.StepKey.Hex }, transaction).ConfigureAwait(false);
        var version = known ?? await AppendAsync(connection, transaction, request).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return (await FindAsync(connection, request.Model, version).ConfigureAwait(false) ?? throw new InvalidOperationException($"{request.Model} {version} vanished."), known is null);
    }

    /// <summary>Points an alias to a version and records the move.</summary>
    /// <exception cref="UserInputException">No such version, or the alias is not a valid name.</exception>
    public async Task<AliasMove> MoveAliasAsync(string model, string alias, int version, string actor, string reason, CancellationToken cancellationToken)
    {
        ValidateName(alias, "alias");
        if (ReservedAlias().IsMatch(alias))
            throw new UserInputException($"'{alias}' cannot be an alias: 'latest' and 'v' followed by digits mean versions. Choose another word, such as 'candidate'.");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (await FindAsync(connection, model, version).ConfigureAwait(false) is null)
            throw new UserInputException($"There is no version {version} of model '{model}'.");
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var previous = await connection.QuerySingleOrDefaultAsync<int?>(
            "select version from registry_alias where name = @model and alias = @alias", new { model, alias }, transaction).ConfigureAwait(false);
        var move = new AliasMove(alias, version, previous, actor, reason, time.GetUtcNow());
        if (previous != version)
        {
            await connection.ExecuteAsync(
                "insert into registry_alias(name, alias, version) values (@model, @alias, @version) on conflict (name, alias) do update set version = excluded.version",
                new { model, alias, version }, transaction).ConfigureAwait(false);
            await connection.ExecuteAsync(
                "insert into registry_alias_move(name, alias, version, previous, actor, reason, moved_at) values (@model, @alias, @version, @previous, @actor, @reason, @Now)",
                new { model, alias, version, previous, actor, reason, Now = Now() }, transaction).ConfigureAwait(false);
        }
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return move;
    }

    /// <summary>Every version of every model, or of one, newest first within a model.</summary>
    public async Task<IReadOnlyList<ModelVersion>> ListAsync(string? model, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await ListAsync(connection, model, limit).ConfigureAwait(false);
    }

    // Whoever holds a connection reads on it: a second one may never come when all are held by others that want a second one too.
    private static async Task<IReadOnlyList<ModelVersion>> ListAsync(DbConnection connection, string? model, int limit)
    {
        var rows = await connection.QueryAsync<Row>(
            $"select {Columns} from registry_version where @model is null or name = @model order by name, version desc limit @limit",
            new { model = new DbString { Value = model }, limit }).ConfigureAwait(false);
        var versions = new List<ModelVersion>();
        foreach (var row in rows)
            versions.Add(await CompleteAsync(connection, row).ConfigureAwait(false));
        return versions;
    }

    /// <summary>One version, or null.</summary>
    public async Task<ModelVersion?> FindAsync(string model, int version, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await FindAsync(connection, model, version).ConfigureAwait(false);
    }

    private static async Task<ModelVersion?> FindAsync(DbConnection connection, string model, int version)
    {
        var row = await connection.QuerySingleOrDefaultAsync<Row>(
            $"select {Columns} from registry_version where name = @model and version = @version", new { model, version }).ConfigureAwait(false);
        return row is null ? null : await CompleteAsync(connection, row).ConfigureAwait(false);
    }

    /// <summary>Resolves <c>NAME</c> (newest), <c>NAME@VERSION</c> or <c>NAME@ALIAS</c>.</summary>
    /// <exception cref="UserInputException">Nothing has that name; the message lists what there is.</exception>
    public async Task<ModelVersion> ResolveAsync(string reference, CancellationToken cancellationToken)
    {
        var at = reference.IndexOf('@', StringComparison.Ordinal);
        var (model, label) = at < 0 ? (reference, "latest") : (reference[..at], reference[(at + 1)..]);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var version = label == "latest"
            ? await connection.QuerySingleOrDefaultAsync<int?>("select max(version) from registry_version where name = @model", new { model }).ConfigureAwait(false)
            : int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? number
                : await connection.QuerySingleOrDefaultAsync<int?>("select version from registry_alias where name = @model and alias = @label", new { model, label }).ConfigureAwait(false);
        if (version is { } found && await FindAsync(connection, model, found).ConfigureAwait(false) is { } result)
            return result;
        var names = (await ListAsync(connection, null, 20).ConfigureAwait(false)).Select(v => $"{v.Model}@{v.Version}").ToList();
        throw new UserInputException($"No model '{reference}' in the registry; {(names.Count == 0 ? "it is empty" : "there are " + string.Join(", ", names))}.");
    }

    /// <summary>The moves of a model's aliases, newest first.</summary>
    public async Task<IReadOnlyList<AliasMove>> MovesAsync(string model, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<(string Alias, long Version, long? Previous, string Actor, string Reason, string MovedAt)>(
            "select alias, cast(version as bigint), cast(previous as bigint), actor, reason, moved_at from registry_alias_move where name = @model order by moved_at desc",
            new { model }).ConfigureAwait(false);
        return [.. rows.Select(r => new AliasMove(r.Alias, (int)r.Version, (int?)r.Previous, r.Actor, r.Reason, Time(r.MovedAt)))];
    }

    private async Task<int> AppendAsync(DbConnection connection, DbTransaction transaction, NewVersion request)
    {
        var version = 1 + await connection.QuerySingleAsync<int>(
            "select coalesce(max(version), 0) from registry_version where name = @Model", new { request.Model }, transaction).ConfigureAwait(false);
        await connection.ExecuteAsync(
            "insert into registry_version(name, version, root, size_bytes, step_key, run_id, card, created_at) values (@Model, @version, @Root, @SizeBytes, @Key, @RunId, @Card, @Now)",
            new { request.Model, version, Root = request.Checkpoint.Root.Hex, request.Checkpoint.SizeBytes, Key = request.StepKey.Hex, RunId = request.RunId.ToString("D"), request.Card, Now = Now() },
            transaction).ConfigureAwait(false);
        foreach (var (metric, value) in request.Metrics)
        {
            await connection.ExecuteAsync(
                "insert into registry_metric(name, version, metric, value) values (@Model, @version, @metric, @value)",
                new { request.Model, version, metric, value }, transaction).ConfigureAwait(false);
        }
        return version;
    }

    private static async Task<ModelVersion> CompleteAsync(DbConnection connection, Row row)
    {
        var key = new { row.Model, row.Version };
        var aliases = await connection.QueryAsync<string>("select alias from registry_alias where name = @Model and version = @Version order by alias", key).ConfigureAwait(false);
        var metrics = await connection.QueryAsync<(string Metric, double Value)>("select metric, value from registry_metric where name = @Model and version = @Version order by metric", key).ConfigureAwait(false);
        return new ModelVersion
        {
            Model = row.Model,
            Version = (int)row.Version,
            Root = Digest.Parse(row.Root),
            SizeBytes = row.SizeBytes,
            StepKey = Digest.Parse(row.StepKey),
            RunId = Guid.Parse(row.RunId),
            Card = row.Card,
            CreatedAt = Time(row.CreatedAt),
            Aliases = [.. aliases],
            Metrics = metrics.ToDictionary(m => m.Metric, m => m.Value),
        };
    }

    private static void ValidateName(string name, string what)
    {
        if (!ValidName().IsMatch(name))
            throw new UserInputException($"'{name}' cannot be a {what}: use 1 to 100 letters, digits, '-', '_' or '.', starting with a letter or digit.");
    }

    private string Now() => time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z")]
    private static partial Regex ValidName();

    [GeneratedRegex(@"\A(latest|v[0-9]+|[0-9]+)\z", RegexOptions.IgnoreCase)]
    private static partial Regex ReservedAlias();

    // What the database returns: SQLite has 64-bit integers only, PostgreSQL 32-bit ones for 'integer'.
    private sealed class Row
    {
        public string Model { get; set; } = "";
        public long Version { get; set; }
        public string Root { get; set; } = "";
        public long SizeBytes { get; set; }
        public string StepKey { get; set; } = "";
        public string RunId { get; set; } = "";
        public string Card { get; set; } = "";
        public string CreatedAt { get; set; } = "";
    }
}

/// <summary>What a registration says.</summary>
public sealed record NewVersion
{
    /// <summary>Model name.</summary>
    public required string Model { get; init; }

    /// <summary>The checkpoint.</summary>
    public required ManifestRef Checkpoint { get; init; }

    /// <summary>The step that registers, so that a repeat is recognised.</summary>
    public required Digest StepKey { get; init; }

    /// <summary>The run; empty for an import.</summary>
    public Guid RunId { get; init; }

    /// <summary>What it is, in Markdown.</summary>
    public string Card { get; init; } = "";

    /// <summary>Metrics by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}
