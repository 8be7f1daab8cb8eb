using System.Data.Common;
using System.Globalization;
using Dapper;
using Espalier.Contracts;
using Espalier.Pipelines.Text;
using Espalier.Registry.Queries;
using Microsoft.Data.Sqlite;

namespace Espalier.Registry.Search;

/// <summary>
/// Finds versions. When few versions meet one of the conditions, they are read by its index and sorted. Otherwise a page is read
/// along the index of its order, which finds it soon unless conditions and order are at odds with each other (the smallest models
/// with the least loss); after a thousand rows that did not fill it, everything is read once, and the best of it kept.
/// </summary>
public sealed class VersionSearch(RegistryDatabase database)
{
    private const int LongestWalk = 1000;
    private const string VersionTable = "registry_version v";

    private static readonly HashSet<string> Indexed =
    [
        "new_bytes", "size_bytes", "total_parameters", "active_parameters", "version", "layers", "experts", "experts_per_token",
        "created_at", "name", "run_id", "root",
    ];

    /// <summary>A page of versions that meet a query.</summary>
    /// <exception cref="SearchException">The query cannot be read.</exception>
    public Task<Page<ModelVersion>> FindAsync(string text, int limit, string? cursor, CancellationToken cancellationToken) =>
        FindAsync(SearchParser.ParseQuery(text), limit, cursor, cancellationToken);

    /// <summary>A page of the versions of one model that meet a query; without an order the newest come first.</summary>
    /// <exception cref="SearchException">The query cannot be read.</exception>
    public Task<Page<ModelVersion>> FindAsync(string model, string text, int limit, string? cursor, CancellationToken cancellationToken)
    {
        var query = SearchParser.ParseQuery(text);
        var ofModel = new Comparison(SearchField.Of("model"), "=", new Operand(null, model), 1);
        // The operands of an 'and' stand beside the model's, where each may be answered by its index.
        IReadOnlyList<SearchNode> others = query.Where switch { null => [], Junction { IsAnd: true } all => all.Operands, var one => [one] };
        return FindAsync(query with { Where = others.Count == 0 ? ofModel : new Junction(true, [ofModel, .. others], 1) }, limit, cursor, cancellationToken);
    }

    private async Task<Page<ModelVersion>> FindAsync(SearchQuery query, int limit, string? cursor, CancellationToken cancellationToken)
    {
        var sort = new SearchSort(query.Order);
        var after = sort.Read(cursor);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await CheckMetricsAsync(connection, query).ConfigureAwait(false);
        var page = Cursor.Cut(await ReadAsync(connection, query.Where, sort, after, limit + 1).ConfigureAwait(false), limit, sort.Write);
        return new Page<ModelVersion>(await VersionReader.ReadAsync(connection, [.. page.Items.Select(r => r.Id)]).ConfigureAwait(false), page.Next);
    }

    private static async Task<IReadOnlyList<SortedPlace>> ReadAsync(DbConnection connection, SearchNode? where, SearchSort sort, SortedPlace? after, int limit)
    {
        var indexed = IndexedOf(where);
        var conditions = indexed.Select(p => p.Write(NewSql(connection))).ToList();
        if (await IndexedCondition.MostSelectiveAsync(connection, conditions).ConfigureAwait(false) is { } first)
        {
            var others = Without(where, indexed[first].Condition);
            return await RunAsync(connection, sql => Statement(sql, others, sort, after, limit, indexed[first].Write)).ConfigureAwait(false);
        }
        if (where is null)
            return await RunAsync(connection, sql => Statement(sql, where, sort, after, limit)).ConfigureAwait(false);
        var ends = await RunAsync(connection, sql => Statement(sql, null, sort, after, 1, offset: LongestWalk - 1)).ConfigureAwait(false);
        var rows = await RunAsync(connection, sql => Statement(sql, where, sort, after, limit, end: ends.Count > 0 ? ends[0] : null)).ConfigureAwait(false);
        return rows.Count == limit || ends.Count == 0
            ? rows
            : await RunAsync(connection, sql => WholeStatement(sql, where, sort, after, limit)).ConfigureAwait(false);
    }

    /// <summary>Along the order's index, or over the versions of an indexed condition.</summary>
    private static string Statement(
        SearchSql sql, SearchNode? where, SearchSort sort, SortedPlace? after, int limit,
        Func<SearchSql, IndexedCondition>? indexed = null, SortedPlace? end = null, int offset = 0)
    {
        // SQLite reads tables in the order in which cross joins name them: the indexed condition, then what has the order, then the version.
        var (by, isJoined) = (sort.Columns, where is not null && sort.Table != VersionTable);
        string[] tables = [.. indexed is null ? [] : new[] { "picked p" }, sort.Table, .. isJoined ? new[] { VersionTable } : []];
        string?[] conditions =
        [
            indexed is null ? null : $"{by.Id} = p.version_id",
            sort.Condition(sql, inVersion: false),
            isJoined ? $"v.id = {by.Id}" : null,
            after is { } place ? sort.After(sql, by, place) : null,
            end is { } last ? sort.UpTo(sql, by, last) : null,
            where is null ? null : sql.Condition(where),
        ];
        var with = indexed is null ? "" : $"with picked as materialized ({indexed(sql).Ids}) ";
        var skipped = offset > 0 ? $" offset {offset}" : "";
        return $"{with}select {by.Id} as Id, {by.Key} as Key from {string.Join(" cross join ", tables)}{Where(conditions)} "
            + $"{sort.OrderBy(by)} limit {limit}{skipped}";
    }

    /// <summary>Over everything, sorted afterwards: facts of configurations and the commonest metrics are all in one index.</summary>
    private static string WholeStatement(SearchSql sql, SearchNode where, SearchSort sort, SortedPlace? after, int limit)
    {
        var by = sort.Expressions;
        string?[] conditions =
        [
            sort.Condition(sql, sort.IsInVersion),
            sort.IsInVersion ? null : "o.version_id = v.id",
            after is { } place ? sort.After(sql, by, place) : null,
            sql.Condition(where),
        ];
        var tables = sort.IsInVersion ? VersionTable : $"{VersionTable} cross join registry_fact o";
        return $"select v.id as Id, {by.Key} as Key from {tables}{Where(conditions)} {sort.OrderBy(by)} limit {limit}";
    }

    private static string Where(IEnumerable<string?> conditions) =>
        string.Join(" and ", conditions.OfType<string>()) is { Length: > 0 } all ? " where " + all : "";

    private static SearchSql NewSql(DbConnection connection) => new(connection is SqliteConnection);

    private static async Task<IReadOnlyList<SortedPlace>> RunAsync(DbConnection connection, Func<SearchSql, string> write)
    {
        var sql = NewSql(connection);
        var statement = write(sql);
        return [.. (await connection.QueryAsync<Row>(statement, sql.Parameters).ConfigureAwait(false)).Select(r => new SortedPlace(r.Key!, r.Id))];
    }

    /// <summary>The conditions of a query that must all be met and that an index answers.</summary>
    private static IReadOnlyList<(Comparison Condition, Func<SearchSql, IndexedCondition> Write)> IndexedOf(SearchNode? where)
    {
        var all = where switch { Junction { IsAnd: true } junction => junction.Operands, null => [], _ => [where] };
        return [.. all.OfType<Comparison>()
            .Where(c => c.Operator is not ("!=" or "~"))
            .Select(c => (Condition: c, Write: IndexOf(c)))
            .Where(p => p.Write is not null)
            .Select(p => (p.Condition, p.Write!))];
    }

    /// <summary>What else must be met when one condition is.</summary>
    private static SearchNode? Without(SearchNode? where, Comparison condition)
    {
        if (where is not Junction all)
            return null;
        var rest = all.Operands.Where(o => !ReferenceEquals(o, condition)).ToList();
        return rest.Count > 0 ? all with { Operands = rest } : null;
    }

    private static Func<SearchSql, IndexedCondition>? IndexOf(Comparison comparison) => comparison.Field switch
    {
        { Kind: FieldKind.Metric } =>
            sql => new IndexedCondition($"select f.version_id from registry_fact f where {sql.FactCondition(comparison)}", sql.Parameters),
        { Kind: FieldKind.Tag } =>
            sql => new IndexedCondition(TagIndex.Ids(sql.Add(comparison.Field.Name), sql.Add(comparison.Value.Text!)), sql.Parameters),
        { Kind: FieldKind.Alias } => sql =>
            new IndexedCondition($"select a.version_id from registry_alias a where a.alias = {sql.Add(comparison.Value.Text!)}", sql.Parameters),
        { Column: var column } when Indexed.Contains(column) =>
            sql => new IndexedCondition($"select v.id as version_id from registry_version v where {sql.ColumnCondition(comparison)}", sql.Parameters),
        _ => null,
    };

    /// <summary>A metric that no version has is a slip of the pen.</summary>
    private static async Task CheckMetricsAsync(DbConnection connection, SearchQuery query)
    {
        var fields = Comparisons(query.Where).Select(c => (c.Field, c.Position)).ToList();
        foreach (var (field, position) in fields.Where(f => f.Field.Kind == FieldKind.Metric))
            await CheckMetricAsync(connection, field, position).ConfigureAwait(false);
        if (query.Order is { Field.Kind: FieldKind.Metric } order)
            await CheckMetricAsync(connection, order.Field, null).ConfigureAwait(false);
    }

    private static async Task CheckMetricAsync(DbConnection connection, SearchField field, int? position)
    {
        var exists = await connection.ExecuteScalarAsync<int>(
            "select count(*) from (select 1 from registry_fact where metric = @Name limit 1) n", new { field.Name }).ConfigureAwait(false);
        if (exists > 0)
            return;
        var any = await connection.ExecuteScalarAsync<int>("select count(*) from (select 1 from registry_fact limit 1) n").ConfigureAwait(false);
        if (any == 0)
            return;
        // Metrics by skipping along the index from one name to the next: as many steps as there are names.
        var names = await connection.QueryAsync<string>(
            """
            with recursive names(metric) as (
                select min(metric) from registry_fact
                union all
                select (select min(f.metric) from registry_fact f where f.metric > n.metric) from names n where n.metric is not null
            )
            select metric from names where metric is not null limit 200
            """).ConfigureAwait(false);
        var hint = NearestWord.Hint(field.Name, [.. SearchField.Names, .. names]);
        throw new SearchException(position ?? 1, $"no field and no metric is called '{field.Name}': {hint}");
    }

    private static IEnumerable<Comparison> Comparisons(SearchNode? node) => node switch
    {
        Comparison comparison => [comparison],
        Junction junction => junction.Operands.SelectMany(Comparisons),
        Negation negation => Comparisons(negation.Operand),
        _ => [],
    };

    private sealed class Row
    {
        public long Id { get; set; }
        public object? Key { get; set; }
    }
}
