using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Pruner.Calibration;

/// <summary>
/// Position of calibration that takes samples in rounds: what the rounds before gave, beside the position within the one that runs, so that a
/// killed step loses at most one layer of one round.
/// </summary>
/// <param name="step">The step's own cursor.</param>
internal sealed class CoverageCursor(IStageCursor step) : IStageCursor
{
    /// <summary>Samples of the rounds that are complete.</summary>
    public int Samples { get; private set; }

    /// <summary>What they gave, a blob per layer.</summary>
    public IReadOnlyList<Digest> Sums { get; private set; } = [];

    private byte[]? _position;

    /// <summary>Takes back what was saved, if it was by this cursor.</summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await step.LoadAsync(cancellationToken).ConfigureAwait(false) is { } bytes
                && JsonSerializer.Deserialize<Saved>(bytes, WireJson.Options) is { Sums: not null } saved)
                (Samples, Sums, _position) = (saved.Samples, saved.Sums, saved.Position is { } p ? JsonSerializer.SerializeToUtf8Bytes(p) : null);
        }
        catch (JsonException)
        {
            Reset(); // of something else
        }
    }

    /// <summary>Begins again.</summary>
    public void Reset() => (Samples, Sums, _position) = (0, [], null);

    /// <summary>A round is complete.</summary>
    public Task AdvanceAsync(int samples, IReadOnlyList<Digest> sums, CancellationToken cancellationToken)
    {
        (Samples, Sums, _position) = (samples, sums, null);
        return WriteAsync(null, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => Task.FromResult(_position);

    /// <inheritdoc/>
    public Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken) =>
        WriteAsync(JsonNode.Parse(position.Span), cancellationToken);

    private Task WriteAsync(JsonNode? position, CancellationToken cancellationToken) =>
        step.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(new Saved(Samples, Sums, position), WireJson.Options), cancellationToken);

    private sealed record Saved(int Samples, IReadOnlyList<Digest> Sums, JsonNode? Position);
}
