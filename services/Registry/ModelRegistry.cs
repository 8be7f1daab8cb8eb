using System.Data.Common;
using System.Text.RegularExpressions;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Events;
using Espalier.Registry.Lineages;
using Espalier.Registry.Queries;

namespace Espalier.Registry;

/// <summary>Names, integer versions from 1, and aliases that move. A version never changes; an alias move is recorded.</summary>
public sealed partial class ModelRegistry(RegistryDatabase database, TimeProvider time)
{
    /// <summary>What names of models look like, from beginning to end.</summary>
    public const string NamePattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}";

    /// <summary><see cref="NamePattern"/> in words.</summary>
    public const string NameMeaning = "1 to 100 letters, digits, '-', '_' or '.', starting with a letter or digit";

    private const string NewModelColumns = "name, created_at, updated_at, number";
    private const string NewModelValues = "@model, @Now, @Now, (select coalesce(max(number), 0) + 1 from registry_model)";

    /// <summary>Registers a checkpoint under a name. The same (name, step key) again returns the version it got the first time.</summary>
    /// <returns>The version and whether this call made it.</returns>
    public async Task<(ModelVersion Version, bool IsNew)> RegisterAsync(NewVersion request, CancellationToken cancellationToken)
    {
        ValidateName(request.Model, "model name");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await LockModelAsync(connection, transaction, request.Model).ConfigureAwait(false);
        var known = await connection.QuerySingleOrDefaultAsync<int?>(
            "select version from registry_version where name = @Model and step_key = @Key",
            new { request.Model, Key = request.StepKey.Hex }, transaction).ConfigureAwait(false);
        var version = known ?? await AppendAsync(connection, transaction, request).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        var made = await VersionReader.FindAsync(connection, request.Model, version).ConfigureAwait(false);
        return (made ?? throw new InvalidOperationException($"{request.Model}@{version} was deleted while it was registered."), known is null);
    }

    /// <summary>Every version of every model, or of one, newest first within a model.</summary>
    public async Task<IReadOnlyList<ModelVersion>> ListAsync(string? model, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await ListAsync(connection, model, limit).ConfigureAwait(false);
    }

    /// <summary>One version, or null.</summary>
    public async Task<ModelVersion?> FindAsync(string model, int version, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await VersionReader.FindAsync(connection, model, version).ConfigureAwait(false);
    }

    /// <summary>Resolves <c>NAME</c> (newest), <c>NAME@VERSION</c> or <c>NAME@ALIAS</c>.</summary>
    /// <exception cref="UserInputException">Nothing has that name; the message lists what there is.</exception>
    public async Task<ModelVersion> ResolveAsync(string reference, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (await FindAsync(connection, reference).ConfigureAwait(false) is { } found)
            return found;
        var names = (await ListAsync(connection, null, 20).ConfigureAwait(false)).Select(v => $"{v.Model}@{v.Version}").ToList();
        var known = names.Count == 0 ? "it is empty" : "there are " + string.Join(", ", names);
        throw new UserInputException($"No model '{Shown(reference)}' in the registry; {known}.");
    }

    /// <summary>As <see cref="ResolveAsync"/>, or null.</summary>
    public async Task<ModelVersion?> FindAsync(string reference, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await FindAsync(connection, reference).ConfigureAwait(false);
    }

    /// <summary>Refuses what cannot be a name.</summary>
    /// <exception cref="UserInputException">It cannot.</exception>
    public static void ValidateName(string name, string what)
    {
        if (!ValidName().IsMatch(name))
        {
            throw new UserInputException(
                $"'{Shown(name)}' cannot be {(what[0] is 'a' ? "an" : "a")} {what}: use {NameMeaning}.");
        }
    }

    /// <summary>The row of the model, made when it is missing, is the lock under which its versions and aliases change.</summary>
    internal async Task LockModelAsync(DbConnection connection, DbTransaction transaction, string model) =>
        await connection.ExecuteAsync(
            $"""
            insert into registry_model({NewModelColumns}) values ({NewModelValues})
            on conflict (name) do update set created_at = registry_model.created_at
            """,
            new { model, Now = Now() }, transaction).ConfigureAwait(false);

    /// <summary>Writes down that a model changed now: lists show models in the order of these changes.</summary>
    private static async Task RecordChangeAsync(DbConnection connection, DbTransaction transaction, string model, DateTimeOffset now)
    {
        var change = await connection.NextIdAsync(transaction, "change").ConfigureAwait(false);
        await connection.ExecuteAsync(
            "update registry_model set changed = @change, updated_at = @Now where name = @model",
            new { model, change, Now = Timestamps.Write(now) }, transaction).ConfigureAwait(false);
    }

    // Whoever holds a connection reads on it: a second one may never come when all are held by others that want a second one too.
    private static Task<IReadOnlyList<ModelVersion>> ListAsync(DbConnection connection, string? model, int limit) =>
        model is null
            ? VersionReader.ReadAsync(connection, "order by v.name, v.version desc limit @limit", new { limit })
            : VersionReader.ReadAsync(connection, "where v.name = @model order by v.version desc limit @limit", new { model, limit });

    private static async Task<ModelVersion?> FindAsync(DbConnection connection, string reference)
    {
        var wanted = ModelReference.Parse(reference);
        var (model, label) = (wanted.Model, wanted.Alias);
        var version = wanted.IsLatest
            ? await connection.QuerySingleOrDefaultAsync<int?>("select latest from registry_model where name = @model", new { model }).ConfigureAwait(false)
            : wanted.Version is { } number
                ? number
                : await connection.QuerySingleOrDefaultAsync<int?>(
                    "select version from registry_alias where name = @model and alias = @label", new { model, label }).ConfigureAwait(false);
        return version is { } found ? await VersionReader.FindAsync(connection, model, found).ConfigureAwait(false) : null;
    }

    private async Task<int> AppendAsync(DbConnection connection, DbTransaction transaction, NewVersion request)
    {
        var now = Now();
        var version = await connection.QuerySingleAsync<int>(
            """
            update registry_model set numbered = numbered + 1, latest = numbered + 1, versions = versions + 1
            where name = @Model returning numbered
            """,
            new { request.Model }, transaction).ConfigureAwait(false);
        await RecordChangeAsync(connection, transaction, request.Model, Timestamps.Read(now)).ConfigureAwait(false);
        var id = await connection.NextIdAsync(transaction, "version").ConfigureAwait(false);
        await connection.ExecuteAsync(
            """
            insert into registry_version(id, name, version, root, size_bytes, new_bytes, step_key, run_id, step, stage, origin, description, created_at,
                family, total_parameters, active_parameters, layers, experts, experts_per_token, loss, perplexity, bits_per_byte, accuracy)
            values (@id, @Model, @version, @Root, @SizeBytes, @NewBytes, @Key, @RunId, @Step, @Stage, @Origin, @Description, @now,
                @Family, @TotalParameters, @ActiveParameters, @Layers, @Experts, @ExpertsPerToken, @Loss, @Perplexity, @BitsPerByte, @Accuracy)
            """,
            new
            {
                id, request.Model, version, Root = request.Checkpoint.Root.Hex,
                request.Checkpoint.SizeBytes, NewBytes = request.NewBytes ?? request.Checkpoint.SizeBytes,
                Key = request.StepKey.Hex, RunId = request.RunId.ToString("D"), request.Step, request.Stage, request.Origin, request.Description, now,
                request.Shape.Family, request.Shape.TotalParameters, request.Shape.ActiveParameters,
                request.Shape.Layers, request.Shape.Experts, request.Shape.ExpertsPerToken,
                Loss = Value("loss"), Perplexity = Value("perplexity"), BitsPerByte = Value("bits-per-byte"), Accuracy = Value("accuracy"),
            },
            transaction).ConfigureAwait(false);
        await connection.ExecuteAsync(
            "insert into registry_card(version_id, card) values (@id, @Card)", new { id, request.Card }, transaction).ConfigureAwait(false);
        foreach (var (metric, measure) in Measure.Fold(request.Metrics).Where(m => double.IsFinite(m.Value.Value)))
        {
            await connection.ExecuteAsync(
                "insert into registry_fact(version_id, metric, value, low, high) values (@id, @metric, @Value, @Low, @High)",
                new { id, metric, measure.Value, measure.Low, measure.High }, transaction).ConfigureAwait(false);
        }
        foreach (var report in request.Reports.Distinct())
        {
            await connection.ExecuteAsync(
                "insert into registry_report(version_id, root) values (@id, @root)", new { id, root = report.Hex }, transaction).ConfigureAwait(false);
        }
        await RegistryTags.WriteAsync(connection, transaction, request.Model, version, request.Tags).ConfigureAwait(false);
        await LineageStore.WriteAsync(connection, transaction, request.Lineage).ConfigureAwait(false);
        var message = new ModelRegistered(request.Model, version, request.Checkpoint.Root, request.RunId);
        await RegistryEvents.AddAsync(connection, transaction, message, now).ConfigureAwait(false);
        return version;

        double? Value(string metric) => request.Metrics.TryGetValue(metric, out var value) && double.IsFinite(value) ? value : null;
    }

    private string Now() => Timestamps.Write(time.GetUtcNow());

    private static string Shown(string text) => new([.. text.Take(120).Select(c => char.IsControl(c) ? '?' : c)]);

    [GeneratedRegex($@"\A{NamePattern}\z")]
    private static partial Regex ValidName();
}
