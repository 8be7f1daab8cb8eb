using System.Data.Common;
using System.Globalization;
using Dapper;
using Espalier.Contracts;
using Espalier.Pipelines.Text;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Search;

/// <summary>
/// Finds versions. A page is read along the index of what it is ordered by; when some condition is met by few versions, that
/// condition's index is read instead and its few versions are sorted.
/// </summary>
public sealed class VersionSearch(RegistryDatabase database)
{
    private const int Few = 2000;

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

    /// <summary>The statement of a page, for looking at its plan.</summary>
    internal async Task<(string Sql, DynamicParameters Parameters)> ExplainableAsync(string text, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await BuildAsync(connection, SearchParser.ParseQuery(text), limit, null).ConfigureAwait(false);
    }

    private static async Task<(string Sql, DynamicParameters Parameters)> BuildAsync(DbConnection connection, SearchQuery query, int limit, string? cursor)
    {
        var sql = new SearchSql();
        var order = query.Order;
        var direction = order?.Descending ?? true ? "desc" : "asc";
        var key = order is null ? "v.id" : order.Field.Kind == FieldKind.Metric ? "o.value" : $"v.{order.Field.Column}";
        var conditions = new List<string>();
        if (query.Where is not null)
            conditions.Add(sql.Condition(query.Where));
        if (Cursor.Read(cursor, 3) is { } after)
        {
            if (after[0] != KeyOf(order))
                throw new UserInputException("The cursor belongs to another order: leave it out to start again.");
            conditions.Add(order is null ? $"v.id < {sql.Add(Cursor.Number(after[2]))}" : $"({key}, v.id) {(direction == "desc" ? "<" : ">")} ({sql.Add(Typed(order, after[1]))}, {sql.Add(Cursor.Number(after[2]))})");
        }
        var source = await DriverAsync(connection, sql, query.Where).ConfigureAwait(false) is { } driver
            ? $"with picked as materialized ({driver}) select v.id as Id, {key} as Key from picked p join registry_version v on v.id = p.version_id"
            : $"select v.id as Id, {key} as Key from registry_version v";
        if (order?.Field.Kind == FieldKind.Metric)
        {
            source += $" join registry_fact o on o.version_id = v.id and o.metric = {sql.Add(order.Field.Name)}";
            var where = conditions.Count > 0 ? " where " + string.Join(" and ", conditions) : "";
            return ($"{source}{where} order by o.value {direction}, o.version_id {direction} limit {limit + 1}".Replace("(o.value, v.id)", "(o.value, o.version_id)", StringComparison.Ordinal), sql.Parameters);
        }
        return ($"{source}{(conditions.Count > 0 ? " where " + string.Join(" and ", conditions) : "")} order by {key} {direction}{(order is null ? "" : $", v.id {direction}")} limit {limit + 1}", sql.Parameters);
    }

    /// <summary>The part of a query that fewest versions meet, when they are few enough to sort; as a statement that picks their ids.</summary>
    private static async Task<string?> DriverAsync(DbConnection connection, SearchSql sql, SearchNode? where)
    {
        Func<SearchSql, string>? best = null;
        var fewest = Few;
        foreach (var pick in Picks(where))
        {
            var count = new SearchSql();
            var found = await connection.ExecuteScalarAsync<int>($"select count(*) from ({pick(count)} limit {Few}) n", count.Parameters).ConfigureAwait(false);
            if (found < fewest)
                (best, fewest) = (pick, found);
        }
        return best?.Invoke(sql);
    }

    /// <summary>Statements that each pick by one index: by a metric, a tag, an alias, or by all facts of the configuration together.</summary>
    private static IEnumerable<Func<SearchSql, string>> Picks(SearchNode? where)
    {
        var all = where switch { Junction { IsAnd: true } junction => junction.Operands, null => [], _ => [where] };
        var comparisons = all.OfType<Comparison>().Where(c => c.Operator != "!=").ToList();
        foreach (var metric in comparisons.Where(c => c.Field.Kind == FieldKind.Metric))
            yield return sql => $"select f.version_id from registry_fact f where {sql.FactCondition(metric)}";
        foreach (var tag in comparisons.Where(c => c.Field.Kind == FieldKind.Tag && c.Operator == "="))
            yield return sql => $"select w.id as version_id from registry_tag t join registry_version w on w.name = t.name and w.version = t.version where t.tag = {sql.Add(tag.Field.Name)} and t.value = {sql.Add(tag.Value.Text!)}";
        foreach (var alias in comparisons.Where(c => c.Field.Kind == FieldKind.Alias))
            yield return sql => $"select w.id as version_id from registry_alias a join registry_version w on w.name = a.name and w.version = a.version where a.alias = {sql.Add(alias.Value.Text!)}";
        var facts = comparisons.Where(c => c.Field is { Kind: FieldKind.Number or FieldKind.Bytes, Column: not "version" } or { Kind: FieldKind.Truth } || c.Field.Column == "family").ToList();
        if (facts.Count > 0)
            yield return sql => $"select v.id as version_id from registry_version v where {string.Join(" and ", facts.Select(sql.Condition))}";
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
