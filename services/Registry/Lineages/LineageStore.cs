using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Lineages;

/// <summary>Ancestry in the database, where a graph is one recursive statement and needs no manifest.</summary>
internal static class LineageStore
{
    private const int MostNodes = 10_000, AtOnce = 500;
    private const string Ancestors =
        "with recursive ancestry(root) as "
        + "(select cast(@root as text) union select e.parent from registry_edge e join ancestry a on e.child = a.root)";

    public static async Task WriteAsync(DbConnection connection, DbTransaction transaction, IReadOnlyList<LineageNode> nodes)
    {
        foreach (var node in nodes)
        {
            await connection.ExecuteAsync(
                """
                insert into registry_artifact(root, kind, step_key, run_id, step, stage, method, seconds)
                values (@Root, @Kind, @Key, @Run, @Step, @Stage, @Method, @Seconds)
                on conflict (root) do nothing
                """,
                new
                {
                    Root = node.Root.Hex,
                    Kind = node.Kind is { } kind ? JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString()) : "",
                    Key = node.Step?.Key.Hex ?? "",
                    Run = (node.Step?.RunId ?? Guid.Empty).ToString("D"),
                    Step = node.Step?.Name ?? "",
                    Stage = node.Step?.Stage ?? "",
                    Method = node.Step?.Method ?? "",
                    node.Step?.Seconds,
                },
                transaction).ConfigureAwait(false);
            foreach (var parent in node.Parents)
            {
                await connection.ExecuteAsync(
                    "insert into registry_edge(child, parent, relation) values (@Child, @Parent, @Relation) on conflict (child, parent, relation) do nothing",
                    new { Child = node.Root.Hex, Parent = parent.Manifest.Hex, parent.Relation }, transaction).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The ancestry of a version, itself first.</summary>
    public static async Task<LineageGraph> ReadAsync(DbConnection connection, ModelVersion version)
    {
        var rows = (await connection.QueryAsync<Row>(
            $"""
            {Ancestors} select a.root as Root, f.kind as Kind, f.run_id as RunId, f.step_key as StepKey, f.step as Step, f.stage as Stage,
                f.method as Method, f.seconds as Seconds
            from ancestry a left join registry_artifact f on f.root = a.root limit {MostNodes}
            """,
            new { root = version.Root.Hex }).ConfigureAwait(false)).AsList();
        var edges = new List<(string Child, string Parent, string Relation)>();
        var found = new List<(string Root, string Name, long Version)>();
        // By lists of roots: joined with the recursion, a database that knows nothing of its length reads the whole table instead.
        foreach (var part in rows.Select(r => r.Root).Chunk(AtOnce))
        {
            var roots = InCondition.Parameter(connection, "roots", part);
            edges.AddRange(await connection.QueryAsync<(string Child, string Parent, string Relation)>(
                $"select child, parent, relation from registry_edge where {InCondition.Sql(connection, "child", "roots")} limit {MostNodes * 4}",
                roots).ConfigureAwait(false));
            found.AddRange(await connection.QueryAsync<(string Root, string Name, long Version)>(
                $"""
                select root, name, cast(version as bigint) from registry_version
                where {InCondition.Sql(connection, "root", "roots")} order by id
                """,
                roots).ConfigureAwait(false));
        }
        var names = found.ToLookup(n => n.Root);
        var nodes = rows.Select(row => row.ToNode(version, names[row.Root].Select(n => (n.Name, (int)n.Version)).ToList())).ToList();
        var sorted = edges
            .Select(e => new LineageEdge(Digest.Parse(e.Parent), Digest.Parse(e.Child), e.Relation))
            .OrderBy(e => e.To.Hex).ThenBy(e => e.From.Hex);
        return new LineageGraph(nodes, [.. sorted], AncestryBill.Of(nodes));
    }

    private sealed class Row
    {
        public string Root { get; set; } = "";
        public string? Kind { get; set; }
        public string? RunId { get; set; }
        public string? StepKey { get; set; }
        public string? Step { get; set; }
        public string? Stage { get; set; }
        public string? Method { get; set; }
        public double? Seconds { get; set; }

        public LineageVertex ToNode(ModelVersion version, IReadOnlyList<(string Name, int Version)> names)
        {
            var isSelf = Root == version.Root.Hex;
            (string Name, int Version)? name = isSelf ? (version.Model, version.Version) : names.Count > 0 ? names[0] : null;
            return new LineageVertex
            {
                Id = Root,
                Root = Digest.Parse(Root),
                Model = name?.Name,
                Version = name?.Version,
                Step = string.IsNullOrEmpty(Step) ? null : Step,
                Kind = !string.IsNullOrEmpty(Stage) ? Stage : string.IsNullOrEmpty(StepKey) && Kind == "checkpoint" ? "import" : Kind ?? "",
                Artifact = Kind ?? "",
                Method = string.IsNullOrEmpty(Method) ? null : Method,
                Seconds = Seconds,
                // Another run had paid for it: this one found it in the cache.
                Cached = version.RunId != Guid.Empty && Guid.TryParse(RunId, out var run) && run != Guid.Empty && run != version.RunId,
                StepKey = Digest.TryParse(StepKey, out var key) ? key : null,
            };
        }
    }
}
