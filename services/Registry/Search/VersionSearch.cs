using System.Data.Common;
using System.Globalization;
using Dapper;
using Espalier.Contracts;
using Espalier.Pipelines.Text;
using Espalier.Registry.Queries;
using Microsoft.Data.Sqlite;

namespace Espalier.Registry.Search;

/// <summary>
/// Finds versions. A page is read along the index of what it is ordered by, or, when few versions meet one of the conditions,
/// by that condition's index.
/// </summary>
public sealed class VersionSearch(RegistryDatabase database)
{
    /// <summary>A page of versions that meet a query.</summary>
    /// <exception cref="SearchException">The query cannot be read.</exception>
    public async Task<Page<ModelVersion>> FindAsync(string text, int limit, string? cursor, CancellationToken cancellationToken)
    {
        var query = SearchParser.ParseQuery(text);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await CheckMetricsAsync(connection, query).ConfigureAwait(false);
        var (sql, parameters) = await BuildAsync(connection, query, limit, cursor).ConfigureAwait(false);
        var rows = (await connection.QueryAsync<Row>(sql, parameters).ConfigureAwait(false)).AsList();
        var page = Cursor.Cut(rows, limit, row => Cursor.Write(KeyOf(query.Order), Convert.ToString(row.Key, CultureInfo.InvariantCulture)!, $"{row.Id}"));
        return new Page<ModelVersion>(await VersionReader.ReadAsync(connection, [.. page.Items.Select(r => r.Id)]).ConfigureAwait(false), page.Next);
    }

    private static async Task<(string Sql, DynamicParameters Parameters)> BuildAsync(DbConnection connection, SearchQuery query, int limit, string? cursor)
    {
        var isSqlite = connection is SqliteConnection;
        var sql = new SearchSql(isSqlite);
        var order = query.Order;
        var byMetric = order?.Field.Kind == FieldKind.Metric;
        var direction = order?.Descending ?? true ? "desc" : "asc";
        var (key, id) = order is null ? ("v.id", "v.id") : byMetric ? ("o.value", "o.version_id") : ($"v.{order.Field.Column}", "v.id");
        var (tables, conditions) = (new List<string>(), new List<string>());
        var picks = PicksOf(query.Where);
        var first = await Picks.ChooseAsync(connection, [.. picks.Select(p => p(new SearchSql(isSqlite)))], limit + 1).ConfigureAwait(false);
        // SQLite reads tables in the order in which cross joins name them.
        if (first is not null)
        {
            tables.Add("picked p");
            conditions.Add("v.id = p.version_id");
        }
        if (byMetric)
        {
            tables.Add("registry_fact o");
            conditions.Add($"o.metric = {sql.Add(order!.Field.Name)} and o.version_id = {(first is null ? "v.id" : "p.version_id")}");
        }
        tables.Add("registry_version v");
        if (query.Where is not null)
            conditions.Add(sql.Condition(query.Where));
        if (Cursor.Read(cursor, 3) is { } after)
        {
            if (after[0] != KeyOf(order))
                throw new UserInputException("The cursor belongs to another order: leave it out to start again.");
            conditions.Add(order is null ? $"v.id < {sql.Add(Cursor.Number(after[2]))}" : $"({key}, {id}) {(direction == "desc" ? "<" : ">")} ({sql.Add(Typed(order, after[1]))}, {sql.Add(Cursor.Number(after[2]))})");
        }
        var with = first is { } pick ? $"with picked as materialized ({picks[pick](sql).Ids}) " : "";
        return (
            $"{with}select v.id as Id, {key} as Key from {string.Join(" cross join ", tables)}{(conditions.Count > 0 ? " where " + string.Join(" and ", conditions) : "")} order by {key} {direction}{(order is null ? "" : $", {id} {direction}")} limit {limit + 1}",
            sql.Parameters);
    }

    /// <summary>The conditions of a query that must all be met and that an index answers: a metric, a tag, an alias, a name, and all facts of the configuration together.</summary>
    private static IReadOnlyList<Func<SearchSql, Pick>> PicksOf(SearchNode? where)
    {
        var all = where switch { Junction { IsAnd: true } junction => junction.Operands, null => [], _ => [where] };
        var comparisons = all.OfType<Comparison>().Where(c => c.Operator != "!=").ToList();
        var picks = new List<Func<SearchSql, Pick>>();
        foreach (var comparison in comparisons)
        {
            if (comparison is { Field.Kind: FieldKind.Metric })
                picks.Add(sql => Of(sql, $"select f.version_id from registry_fact f where {sql.FactCondition(comparison)}"));
            else if (comparison is { Field.Kind: FieldKind.Tag, Operator: "=" })
                picks.Add(sql => Joined(sql, "registry_tag", $"t.tag = {sql.Add(comparison.Field.Name)} and t.value = {sql.Add(comparison.Value.Text!)} and t.version > 0"));
            else if (comparison is { Field.Kind: FieldKind.Alias })
                picks.Add(sql => Joined(sql, "registry_alias", $"t.alias = {sql.Add(comparison.Value.Text!)}"));
            else if (comparison is { Field.Kind: FieldKind.Text, Operator: "=", Field.Column: "name" or "run_id" or "root" } or { Field.Kind: FieldKind.Time } or { Field.Column: "version" })
                picks.Add(sql => Of(sql, $"select v.id as version_id from registry_version v where {sql.ColumnCondition(comparison)}"));
        }
        var facts = comparisons.Where(c => c.Field is { Kind: FieldKind.Number or FieldKind.Bytes, Column: not "version" } or { Kind: FieldKind.Truth } || c.Field.Column == "family" && c.Operator == "=").ToList();
        foreach (var fact in facts)
            picks.Add(sql => Of(sql, $"select v.id as version_id from registry_version v where {sql.ColumnCondition(fact)}") with { IsPart = facts.Count > 1 });
        if (facts.Count > 1)
            picks.Add(sql => Of(sql, $"select v.id as version_id from registry_version v where {string.Join(" and ", facts.Select(sql.Condition))}"));
        return picks;

        static Pick Of(SearchSql sql, string statement) => new(statement, statement, sql.Parameters);
        static Pick Joined(SearchSql sql, string table, string condition) => new(
            $"select 1 from {table} t where {condition}", $"select w.id as version_id from {table} t cross join registry_version w where {condition} and w.name = t.name and w.version = t.version", sql.Parameters);
    }

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
        var exists = await connection.ExecuteScalarAsync<int>("select count(*) from (select 1 from registry_fact where metric = @Name limit 1) n", new { field.Name }).ConfigureAwait(false);
        if (exists > 0 || await connection.ExecuteScalarAsync<int>("select count(*) from (select 1 from registry_fact limit 1) n").ConfigureAwait(false) == 0)
            return;
        // Metrics by skipping along the index from one name to the next: as many steps as there are names.
        var names = (await connection.QueryAsync<string>(
            "with recursive names(metric) as (select min(metric) from registry_fact union all select (select min(f.metric) from registry_fact f where f.metric > n.metric) from names n where n.metric is not null) select metric from names where metric is not null limit 200").ConfigureAwait(false)).ToList();
        throw new SearchException(position ?? 1, $"no field and no metric is called '{field.Name}': {NearestWord.Hint(field.Name, [.. SearchField.Names, .. names])}");
    }

    private static IEnumerable<Comparison> Comparisons(SearchNode? node) => node switch
    {
        Comparison comparison => [comparison],
        Junction junction => junction.Operands.SelectMany(Comparisons),
        Negation negation => Comparisons(negation.Operand),
        _ => [],
    };

    private static string KeyOf(SearchOrder? order) => order is null ? "" : $"{order.Field.Name} {order.Descending}";

    private static object Typed(SearchOrder order, string key) => order.Field.Kind switch
    {
        FieldKind.Metric => double.TryParse(key, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : throw new UserInputException("The cursor is none of this list."),
        FieldKind.Number or FieldKind.Bytes => Cursor.Number(key),
        _ => key,
    };

    private sealed class Row
    {
        public long Id { get; set; }
        public object? Key { get; set; }
    }
}
