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

    /// <summary>The newest version that exists; 0 without one.</summary>
    public required int Latest { get; init; }

    /// <summary>Versions by alias.</summary>
    public required IReadOnlyDictionary<string, int> Aliases { get; init; }

    /// <summary>Time of the last registration or alias move.</summary>
    public required DateTimeOffset Updated { get; init; }

    /// <summary>Time of the first mention.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Number of its last change over all models: a later change has a larger one.</summary>
    public required long Change { get; init; }
}

/// <summary>Lists by page. Each page is a range of an index, so page 1000 costs what page 1 does.</summary>
public sealed class ModelQueries(RegistryDatabase database)
{
    private const int LongestFilter = 200, AtOnce = 500;

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
            conditions.Add("(changed, name) < (@change, @name)");
        var where = conditions.Count > 0 ? "where " + string.Join(" and ", conditions) : "";
        var change = after is null ? 0 : Cursor.Number(after[0]);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var models = await ReadModelsAsync(
            connection, $"{where} order by changed desc, name desc limit @most",
            new { like = $"%{Escape(filter)}%", change, name = after?[1], most = limit + 1 }).ConfigureAwait(false);
        return Cursor.Cut(models, limit, m => Cursor.Write($"{m.Change}", m.Name));
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
        long? before = Cursor.Read(cursor, 1) is { } after ? Cursor.Number(after[0]) : null;
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var moves = await AliasMoves.ReadAsync(connection, model, before, limit + 1).ConfigureAwait(false);
        return Cursor.Cut(moves, limit, m => Cursor.Write($"{m.Number}"));
    }

    /// <summary>Names of registered artifacts, as <c>NAME@VERSION</c>; the first registration wins.</summary>
    public async Task<IReadOnlyDictionary<Digest, string>> NamesOfAsync(IReadOnlyList<Digest> roots, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var names = new Dictionary<Digest, string>();
        foreach (var part in roots.Chunk(AtOnce))
        {
            var rows = await connection.QueryAsync<(string Root, string Name, long Version)>(
                $"""
                select root, name, cast(version as bigint) from registry_version
                where {InCondition.Sql(connection, "root", "part")} order by id
                """,
                InCondition.Parameter(connection, "part", part.Select(r => r.Hex).ToList())).ConfigureAwait(false);
            foreach (var (root, name, version) in rows)
                names.TryAdd(Digest.Parse(root), $"{name}@{version}");
        }
        return names;
    }

    /// <summary>The models with these names, in the order of the names.</summary>
    internal static async Task<IReadOnlyList<ModelSummary>> ReadModelsAsync(DbConnection connection, IReadOnlyList<string> names)
    {
        var models = await ReadModelsAsync(
            connection, $"where {InCondition.Sql(connection, "name", "names")}", InCondition.Parameter(connection, "names", names)).ConfigureAwait(false);
        var found = models.ToDictionary(m => m.Name);
        return [.. names.Where(found.ContainsKey).Select(n => found[n])];
    }

    private static async Task<IReadOnlyList<ModelSummary>> ReadModelsAsync(DbConnection connection, string rest, object parameters)
    {
        var rows = (await connection.QueryAsync<Row>(
            $"""
            select name, description, cast(versions as bigint) as Versions, cast(latest as bigint) as Latest,
                updated_at as Updated, created_at as Created, changed as Change
            from registry_model {rest}
            """,
            parameters).ConfigureAwait(false)).AsList();
        if (rows.Count == 0)
            return [];
        var names = InCondition.Parameter(connection, "names", rows.Select(r => r.Name).ToList());
        var isNamed = InCondition.Sql(connection, "name", "names");
        var aliases = await connection.QueryAsync<(string Name, string Alias, long Version)>(
            $"select name, alias, cast(version as bigint) from registry_alias where {isNamed} order by alias", names).ConfigureAwait(false);
        var tags = await connection.QueryAsync<(string Name, string Tag, string Value)>(
            $"select name, tag, value from registry_tag where {isNamed} and version = 0 order by tag", names).ConfigureAwait(false);
        var (aliasesOf, tagsOf) = (aliases.ToLookup(a => a.Name), tags.ToLookup(t => t.Name));
        return [.. rows.Select(r => new ModelSummary
        {
            Name = r.Name,
            Description = r.Description,
            Versions = (int)r.Versions,
            Latest = (int)r.Latest,
            Updated = Timestamps.Read(r.Updated),
            Created = Timestamps.Read(r.Created),
            Change = r.Change,
            Aliases = aliasesOf[r.Name].ToDictionary(a => a.Alias, a => (int)a.Version),
            Tags = tagsOf[r.Name].ToDictionary(t => t.Tag, t => t.Value),
        })];
    }

    private static string Escape(string? text) => (text ?? "").ToLowerInvariant()
        .Replace("!", "!!", StringComparison.Ordinal)
        .Replace("%", "!%", StringComparison.Ordinal)
        .Replace("_", "!_", StringComparison.Ordinal);

    private sealed class Row
    {
        public string Name { get; set; } = "";
        public string Description { get; set; } = "";
        public long Versions { get; set; }
        public long Latest { get; set; }
        public string Updated { get; set; } = "";
        public string Created { get; set; } = "";
        public long Change { get; set; }
    }
}
