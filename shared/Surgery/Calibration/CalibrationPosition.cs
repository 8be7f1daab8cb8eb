using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Surgery.Calibration;

/// <summary>Where a <see cref="CalibrationRun{T}"/> is, as the step's cursor keeps it.</summary>
/// <param name="Passed">Layers passed on the way forward.</param>
/// <param name="Streams">Stored streams: behind the last layer passed, and for gradients in front of each one too, the first layer's first.</param>
/// <param name="Gradient">The stored gradient behind the layer that comes next on the way back; null before it began.</param>
/// <param name="Finished">Layers that are complete, in the order in which they were finished.</param>
internal sealed record CalibrationPosition(int Passed, IReadOnlyList<Digest> Streams, Digest? Gradient, IReadOnlyList<FinishedLayer> Finished)
{
    /// <summary>Nothing is done.</summary>
    public static readonly CalibrationPosition Start = new(0, [], null, []);

    /// <summary>Blobs that the rest of the run reads.</summary>
    public IEnumerable<Digest> Blobs => Gradient is { } gradient ? Streams.Append(gradient) : Streams;

    /// <summary>As the cursor holds it.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, WireJson.Options);

    /// <summary>Takes back what <see cref="ToJson"/> gave; null when it is something else.</summary>
    public static CalibrationPosition? Parse(byte[] json)
    {
        try
        {
            var position = JsonSerializer.Deserialize<CalibrationPosition>(json, WireJson.Options);
            return position is { Streams: not null, Finished: not null } ? position : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A layer that is complete.</summary>
/// <param name="Layer">Its index.</param>
/// <param name="Collected">What was collected there, stored.</param>
internal sealed record FinishedLayer(int Layer, Digest Collected);
