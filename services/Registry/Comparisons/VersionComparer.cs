using System.Text.Json;
using Dapper;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Registry.Comparisons;

/// <summary>Compares versions. Weights are streamed once; the result is kept under the two roots, which never change.</summary>
public sealed class VersionComparer(RegistryDatabase database, ArtifactStore artifacts)
{
    private readonly SemaphoreSlim _slots = new(1); // reading two models is work enough

    /// <summary>Compares two versions.</summary>
    public async Task<VersionComparison> CompareAsync(ModelVersion left, ModelVersion right, CancellationToken cancellationToken) => new()
    {
        Config = await ConfigAsync(left, right, cancellationToken).ConfigureAwait(false),
        Metrics = await PairedMetrics.CompareAsync(database, artifacts, left, right, cancellationToken).ConfigureAwait(false),
        Weights = (await KeptAsync(left.Root, right.Root, cancellationToken).ConfigureAwait(false)).Weights,
        Bytes = (await KeptAsync(left.Root, right.Root, cancellationToken).ConfigureAwait(false)).Bytes,
    };

    private async Task<IReadOnlyList<ConfigDifference>> ConfigAsync(ModelVersion left, ModelVersion right, CancellationToken cancellationToken)
    {
        var a = await CheckpointReader.OpenAsync(artifacts, left.Root, cancellationToken).ConfigureAwait(false);
        var b = await CheckpointReader.OpenAsync(artifacts, right.Root, cancellationToken).ConfigureAwait(false);
        return a.HasFile("config.json") && b.HasFile("config.json")
            ? ConfigDifferences.Find(ConfigOf(a), ConfigOf(b))
            : [];
    }

    private static JsonElement ConfigOf(CheckpointReader checkpoint) =>
        JsonSerializer.Deserialize<JsonElement>(checkpoint.ReadFile("config.json"));

    private async Task<KeptComparison> KeptAsync(Digest left, Digest right, CancellationToken cancellationToken)
    {
        if (await FindAsync(left, right, cancellationToken).ConfigureAwait(false) is { } kept)
            return kept;
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (await FindAsync(left, right, cancellationToken).ConfigureAwait(false) is { } meanwhile)
                return meanwhile;
            var a = await CheckpointReader.OpenAsync(artifacts, left, cancellationToken).ConfigureAwait(false);
            var b = await CheckpointReader.OpenAsync(artifacts, right, cancellationToken).ConfigureAwait(false);
            var weights = await WeightDifferences.FindAsync(artifacts, a, b, cancellationToken).ConfigureAwait(false);
            var made = new KeptComparison(weights, Overlap(a.Manifest, b.Manifest));
            await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
            await connection.ExecuteAsync(
                "insert into registry_comparison(left_root, right_root, body) values (@left, @right, @body) on conflict (left_root, right_root) do nothing",
                new { left = left.Hex, right = right.Hex, body = JsonSerializer.Serialize(made, WireJson.Options) }).ConfigureAwait(false);
            return made;
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task<KeptComparison?> FindAsync(Digest left, Digest right, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var body = await connection.QuerySingleOrDefaultAsync<string>(
            "select body from registry_comparison where left_root = @left and right_root = @right",
            new { left = left.Hex, right = right.Hex }).ConfigureAwait(false);
        return body is null ? null : JsonSerializer.Deserialize<KeptComparison>(body, WireJson.Options);
    }

    private static ByteOverlap Overlap(Manifest left, Manifest right)
    {
        var (a, b) = (Blobs(left), Blobs(right));
        return new ByteOverlap(
            a.Where(x => b.ContainsKey(x.Key)).Sum(x => x.Value),
            a.Where(x => !b.ContainsKey(x.Key)).Sum(x => x.Value),
            b.Where(x => !a.ContainsKey(x.Key)).Sum(x => x.Value));
    }

    private static Dictionary<Digest, long> Blobs(Manifest manifest)
    {
        var blobs = manifest.Files.DistinctBy(f => f.Blob).ToDictionary(f => f.Blob, f => f.SizeBytes);
        // A pack ends where its last tensor ends.
        foreach (var tensor in manifest.Tensors)
            blobs[tensor.Blob] = Math.Max(blobs.GetValueOrDefault(tensor.Blob), tensor.Offset + tensor.SizeBytes);
        return blobs;
    }

    private sealed record KeptComparison(IReadOnlyList<LayerDifference> Weights, ByteOverlap Bytes);
}
