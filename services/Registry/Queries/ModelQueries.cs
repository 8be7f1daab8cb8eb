using System.Data.Common;
using Dapper;
using Espalier.Contracts;

namespace Espalier.Registry.Queries;

/// <summary>A model as lists show it.</summary>
public sealed record ModelSummary
{
    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>Free text.</summary>
    public required string Description { get; init; }

    /// <summary>Tags of the model.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    /// <summary>How many versions it has.</summary>
    public required int Versions { get; init; }

    /// <summary>The newest version; 0 without one.</summary>
    public required int Latest { get; init; }

    /// <summary>Versions by alias.</summary>
    public required IReadOnlyDictionary<string, int> Aliases { get; init; }

    /// <summary>Last registration or alias move.</summary>
    public required DateTimeOffset Updated { get; init; }

    /// <summary>First mention.</summary>
    public required DateTimeOffset Created { get; init; }
}

/// <summary>Lists by page. Each page is a range of an index, so page 1000 costs what page 1 does.</summary>
public sealed class ModelQueries(RegistryDatabase database)
{
    private const int LongestFilter = 200;

    /// <summary>Models, those with the newest changes first.</summary>
    /// <param name="filter">Part of the name; empty takes all.</param>
    /// <param name="limit">Length of the page.</param>
    /// <param name="cursor">End of the page before.</param>
    /// <param name="cancellationToken">Stops.</param>
    public async Task<Page<ModelSummary>> ListModelsAsync(string? filter, int limit, string? cursor, CancellationToken cancellationToken)
    {
        if (filter?.Length > LongestFilter)
            throw new UserInputException($"The filter has {filter.Length} characters; at most {LongestFilter} are read.");
        var after = Cursor.Read(cursor, 2);
        var conditions = new List<string>();
        if (!string.IsNullOrEmpty(filter))
            conditions.Add("lower(name) like @like escape '!'");
        if (after is not null)
            conditions.Add("(updated_at, name) < (@updated, @name)");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var models = await ReadModelsAsync(
            connection, $"{(conditions.Count > 0 ? "where " + string.Join(" and ", conditions) : "")} order by updated_at desc, name desc limit @most",
            new { like = $"%{Escape(filter)}%", updated = after?[0], name = after?[1], most = limit + 1 }).ConfigureAwait(false);
        return Cursor.Cut(models, limit, m => Cursor.Write(Timestamps.Write(m.Updated), m.Name));
    }

    /// <summary>One model, or null.</summary>
    public async Task<ModelSummary?> FindModelAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return (await ReadModelsAsync(connection, "where name = @name", new { name }).ConfigureAwait(false)).SingleOrDefault();
    }

    /// <summary>Versions of a model, newest first.</summary>
    public async Task<Page<ModelVersion>> ListVersionsAsync(string model, int limit, string? cursor, CancellationToken cancellationToken)
    {
        var after = Cursor.Read(cursor, 1);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var versions = await VersionReader.ReadAsync(
            connection, $"where v.name = @model {(after is null ? "" : "and v.version < @before")} order by v.version desc limit @most",
            new { model, before = after is null ? 0 : Cursor.Number(after[0]), most = limit + 1 }).ConfigureAwait(false);
        return Cursor.Cut(versions, limit, v => Cursor.Write($"{v.Version}"));
    }

    /// <summary>Moves of a model's aliases, newest first.</summary>
    public async Task<Page<AliasMove>> ListMovesAsync(string model, int limit, string? cursor, CancellationToken cancellationToken)
    {
        var after = Cursor.Read(cursor, 1);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return Cursor.Cut(await AliasMoves.ReadAsync(connection, model, after?[0], limit + 1).ConfigureAwait(false), limit, m => Cursor.Write(Timestamps.Write(m.MovedAt)));
    }

    /// <summary>Names of registered artifacts, as <c>NAME@VERSION</c>; the first registration wins.</summary>
    public async Task<IReadOnlyDictionary<Digest, string>> NamesOfAsync(IReadOnlyList<Digest> roots, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var names = new Dictionary<Digest, string>();
        foreach (var part in roots.Chunk(500))
        {
            var rows = await connection.QueryAsync<(string Root, string Name, long Version)>(
                $"select root, name, cast(version as bigint) from registry_version where {InCondition.Sql(connection, "root", "part")} order by id", InCondition.Parameter(connection, "part", part.Select(r => r.Hex).ToList())).ConfigureAwait(false);
            foreach (var (root, name, version) in rows)
                names.TryAdd(Digest.Parse(root), $"{name}@{version}");
        }
        return names;
    }

    /// <summary>The models with these names, in the order of the names.</summary>
    internal static async Task<IReadOnlyList<ModelSummary>> ReadModelsAsync(DbConnection connection, IReadOnlyList<string> names)
    {
        var found = (await ReadModelsAsync(connection, $"where {InCondition.Sql(connection, "name", "names")}", InCondition.Parameter(connection, "names", names)).ConfigureAwait(false)).ToDictionary(m => m.Name);
        return [.. names.Where(found.ContainsKey).Select(n => found[n])];
    }

    private static async Task<IReadOnlyList<ModelSummary>> ReadModelsAsync(DbConnection connection, string rest, object parameters)
    {
        var rows = (await connection.QueryAsync<(string Name, string Description, long Versions, long Latest, string Updated, string Created)>(
            $"select name, description, cast(versions as bigint), cast(latest as bigint), updated_at, created_at from registry_model {rest}", parameters).ConfigureAwait(false)).AsList();
        if (rows.Count == 0)
            return [];
        var names = InCondition.Parameter(connection, "names", rows.Select(r => r.Name).ToList());
        var aliases = (await connection.QueryAsync<(string Name, string Alias, long Version)>(
            $"select name, alias, cast(version as bigint) from registry_alias where {InCondition.Sql(connection, "name", "names")} order by alias", names).ConfigureAwait(false)).ToLookup(a => a.Name);
        var tags = (await connection.QueryAsync<(string Name, string Tag, string Value)>(
            $"select name, tag, value from registry_tag where {InCondition.Sql(connection, "name", "names")} and version = 0 order by tag", names).ConfigureAwait(false)).ToLookup(t => t.Name);
        return [.. rows.Select(r => new ModelSummary
        {
            Name = r.Name,
            Description = r.Description,
            Versions = (int)r.Versions,
            Latest = (int)r.Latest,
            Updated = Timestamps.Read(r.Updated),
            Created = Timestamps.Read(r.Created),
            Aliases = aliases[r.Name].ToDictionary(a => a.Alias, a => (int)a.Version),
            Tags = tags[r.Name].ToDictionary(t => t.Tag, t => t.Value),
        })];
    }

    private static string Escape(string? text) =>
        (text ?? "").ToLowerInvariant().Replace("!", "!!", StringComparison.Ordinal).Replace("%", "!%", StringComparison.Ordinal).Replace("_", "!_", StringComparison.Ordinal);
}
