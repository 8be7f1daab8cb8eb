using System.Collections.Concurrent;
using Espalier.Artifacts;
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
    /// <exception cref="Contracts.UserInputException">There is no such expert.</exception>
    public async Task<IReadOnlyList<ExpertAncestor>> TraceExpertAsync(ModelVersion version, int layer, int expert, CancellationToken cancellationToken)
    {
        var ancestors = await ExpertGenealogy.TraceAsync(artifacts, version.Root, layer, expert, cancellationToken).ConfigureAwait(false);
        var names = await queries.NamesOfAsync([.. ancestors.Select(a => a.Root).Distinct()], cancellationToken).ConfigureAwait(false);
        return [.. ancestors.Select(a => a.Root == version.Root
            ? a with { Model = version.Model, Version = version.Version }
            : names.TryGetValue(a.Root, out var name) && name.Split('@') is [var model, var number] ? a with { Model = model, Version = int.Parse(number, System.Globalization.CultureInfo.InvariantCulture) } : a)];
    }

    /// <summary>Direct parents, and the receipts of the whole ancestry, oldest first.</summary>
    public async Task<(IReadOnlyList<ParentView> Parents, IReadOnlyList<StepReceipt> Receipts)> DescribeAsync(ModelVersion version, CancellationToken cancellationToken)
    {
        var graph = await ReadAsync(version, cancellationToken).ConfigureAwait(false);
        var nodes = graph.Nodes.ToDictionary(n => n.Root);
        var parents = graph.Edges.Where(e => e.To == version.Root).Select(e => new ParentView(e.From, e.Relation, nodes.GetValueOrDefault(e.From)?.Model, nodes.GetValueOrDefault(e.From)?.Version));
        var receipts = new ConcurrentBag<StepReceipt>();
        var keys = graph.Nodes.Select(n => n.StepKey).OfType<Contracts.Digest>().Distinct().Take(MostReceipts);
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancellationToken }, async (key, token) =>
        {
            if (await StepReceipt.FindAsync(artifacts, key, token).ConfigureAwait(false) is { } receipt)
                receipts.Add(receipt);
        }).ConfigureAwait(false);
        return ([.. parents], [.. receipts.OrderBy(r => r.Started).ThenBy(r => r.Step, StringComparer.Ordinal)]);
    }
}
