using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>
/// Where a <see cref="LayeredPass"/> is: the numbers of the batches that are done, and the streams of the next ones behind the layers that they
/// have passed.
/// </summary>
internal sealed class LayeredPosition : IDisposable
{
    private const string PlaceFile = "place.json";

    private readonly PassWork _work;
    private readonly UnfinishedPass _unfinished;

    private LayeredPosition(PassWork work, UnfinishedPass unfinished) => (_work, _unfinished) = (work, unfinished);

    /// <summary>Numbers of the batches that are done, in order.</summary>
    public List<double[]> Results { get; } = [];

    /// <summary>Which model is at work.</summary>
    public int Model { get; private set; }

    /// <summary>Layers of it that the streams have passed.</summary>
    public int Layer { get; private set; }

    /// <summary>For each model that has begun, the stream (B, L, H) of each batch, on the CPU.</summary>
    public List<List<Tensor>> Streams { get; } = [];

    /// <summary>The saved position, or the beginning.</summary>
    public static async Task<LayeredPosition> RestoreAsync(PassWork work, UnfinishedPass unfinished, CancellationToken cancellationToken)
    {
        var position = new LayeredPosition(work, unfinished);
        try
        {
            if (await unfinished.OpenAsync(cancellationToken).ConfigureAwait(false) is { } reader)
                position.Restore(reader);
            return position;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException or JsonException or KeyNotFoundException)
        {
            position.Dispose();
            unfinished.Log(e.Message);
            return new LayeredPosition(work, unfinished);
        }
    }

    /// <summary>The streams have passed another layer.</summary>
    public void NextLayer() => Layer++;

    /// <summary>The next model begins.</summary>
    public void NextModel() => (Model, Layer) = (Model + 1, 0);

    /// <summary>Some batches are done; the next ones begin with the first model.</summary>
    public void Finish(IEnumerable<double[]> results)
    {
        Results.AddRange(results);
        (Model, Layer) = (0, 0);
        DropStreams();
    }

    /// <summary>Saves it.</summary>
    public Task SaveAsync(CancellationToken cancellationToken) => _unfinished.SaveAsync(async writer =>
    {
        var place = new Place(Results.Count, Model, Layer, [.. Streams.Select(ofModel => ofModel.Count)], _work.Routing?.Save());
        await writer.AddFileAsync(PlaceFile, JsonSerializer.SerializeToUtf8Bytes(place, WireJson.Options), cancellationToken).ConfigureAwait(false);
        for (var b = 0; b < Results.Count; b++)
        {
            using var numbers = tensor(Results[b]);
            await CheckpointSaver.AddTensorAsync(writer, NameOf(b), numbers, ScalarType.Float64, cancellationToken).ConfigureAwait(false);
        }
        for (var m = 0; m < Streams.Count; m++)
            for (var b = 0; b < Streams[m].Count; b++)
                await CheckpointSaver.AddTensorAsync(writer, NameOf(m, b), Streams[m][b], Streams[m][b].dtype, cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => DropStreams();

    private void Restore(CheckpointReader reader)
    {
        var place = JsonSerializer.Deserialize<Place>(reader.ReadFile(PlaceFile), WireJson.Options)!;
        if (place.Done > _work.Batches.Count || place.Model >= _work.Models.Count || place.Routing is null != _work.Routing is null)
            throw new InvalidDataException("It belongs to other work.");
        var stored = new StoredWeights(reader);
        for (var b = 0; b < place.Done; b++)
        {
            using var numbers = stored.Read(NameOf(b));
            Results.Add(numbers.data<double>().ToArray());
        }
        for (var m = 0; m < place.Streams.Count; m++)
        {
            Streams.Add([]);
            for (var b = 0; b < place.Streams[m]; b++)
                Streams[m].Add(stored.Read(NameOf(m, b)).DetachFromDisposeScope());
        }
        (Model, Layer) = (place.Model, place.Layer);
        if (place.Routing is { } routing)
            _work.Routing!.Restore(routing);
    }

    private void DropStreams()
    {
        foreach (var stream in Streams.SelectMany(ofModel => ofModel))
            stream.Dispose();
        Streams.Clear();
    }

    private static string NameOf(int batch) => $"result.{batch}";

    private static string NameOf(int model, int batch) => $"stream.{model}.{batch}";

    private sealed record Place(int Done, int Model, int Layer, IReadOnlyList<int> Streams, JsonNode? Routing);
}
