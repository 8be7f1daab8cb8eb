using System.Globalization;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Api;
using Espalier.Registry.Queries;
using Espalier.Stages.Worker;

namespace Espalier.Registry.Lineages;

/// <summary>Lineage of versions, from the database; versions of older databases are traced once.</summary>
internal sealed class VersionLineage(RegistryDatabase database, ArtifactStore artifacts, ModelQueries queries)
{
    private const int MostReceipts = 200, ReadAtOnce = 16;

    /// <summary>The graph of a version.</summary>
    public async Task<LineageGraph> ReadAsync(ModelVersion version, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var graph = await LineageStore.ReadAsync(connection, version).ConfigureAwait(false);
        if (graph.Nodes[0].Artifact.Length > 0)
            return graph;
        var nodes = await Lineage.TraceAsync(artifacts, version.Root, cancellationToken).ConfigureAwait(false);
        if (nodes[0].Kind is null)
            return graph; // the store does not have it, so nothing more is known
        await using (var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false))
        {
            await LineageStore.WriteAsync(connection, transaction, nodes).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        return await LineageStore.ReadAsync(connection, version).ConfigureAwait(false);
    }

    /// <summary>The ancestors of one expert, with the names of versions.</summary>
    /// <exception cref="UserInputException">There is no such expert.</exception>
    public async Task<IReadOnlyList<ExpertAncestor>> TraceExpertAsync(ModelVersion version, int layer, int expert, CancellationToken cancellationToken)
    {
        var ancestors = await ExpertGenealogy.TraceAsync(artifacts, version.Root, layer, expert, cancellationToken).ConfigureAwait(false);
        var names = await queries.NamesOfAsync([.. ancestors.Select(a => a.Root).Distinct()], cancellationToken).ConfigureAwait(false);
        return [.. ancestors.Select(Named)];

        ExpertAncestor Named(ExpertAncestor ancestor)
        {
            if (ancestor.Root == version.Root)
                return ancestor with { Model = version.Model, Version = version.Version };
            return names.TryGetValue(ancestor.Root, out var name) && name.Split('@') is [var model, var number]
                ? ancestor with { Model = model, Version = int.Parse(number, CultureInfo.InvariantCulture) }
                : ancestor;
        }
    }

    /// <summary>
    /// Direct parents, the receipts of the whole ancestry, each after those of what its step worked on, and what the step that made the
    /// version says whoever uses it must know.
    /// </summary>
    public async Task<(IReadOnlyList<ParentView> Parents, IReadOnlyList<StepReceipt> Receipts, IReadOnlyList<string> Notes)> DescribeAsync(
        ModelVersion version, CancellationToken cancellationToken)
    {
        var graph = await ReadAsync(version, cancellationToken).ConfigureAwait(false);
        var nodes = graph.Nodes.ToDictionary(n => n.Root);
        var parents = graph.Edges.Where(e => e.To == version.Root).Select(e =>
        {
            var parent = nodes.GetValueOrDefault(e.From);
            return new ParentView(e.From, e.Relation, parent?.Model, parent?.Version);
        });
        var keys = AncestryOrder.ParentsFirst(version.Root, graph.Edges.ToLookup(e => e.To, e => e.From))
            .Select(root => nodes.GetValueOrDefault(root)?.StepKey).OfType<Digest>().Distinct().ToList();
        var receipts = new StepReceipt?[keys.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancellationToken };
        // The version's own step is the last: of a very long ancestry its end is read.
        await Parallel.ForAsync(Math.Max(0, keys.Count - MostReceipts), keys.Count, options, async (i, token) =>
            receipts[i] = await StepReceipt.FindAsync(artifacts, keys[i], token).ConfigureAwait(false)).ConfigureAwait(false);
        return ([.. parents], [.. receipts.OfType<StepReceipt>()], await NotesAsync(graph.Nodes[0], cancellationToken).ConfigureAwait(false));
    }

    private async Task<IReadOnlyList<string>> NotesAsync(LineageVertex version, CancellationToken cancellationToken)
    {
        if (version.StepKey is not { } step)
            return [];
        return StepReport.NotesOf(await StepReport.FindAsync(artifacts, step, cancellationToken).ConfigureAwait(false));
    }
}
