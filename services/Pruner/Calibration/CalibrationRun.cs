using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Methods;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Datasets.Sampling;
using Espalier.Surgery;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>
/// Runs the calibration text through the model one layer at a time: a layer is loaded, all batches go through it, it is
/// freed. For gradients the layers then run again from the last to the first. After every layer the position is saved, so
/// a killed run loses at most one, and memory is that of one layer and one batch.
/// </summary>
internal sealed class CalibrationRun(StageContext context, MoeCheckpoint source, IPruningMethod method, CalibrationNeed need)
{
    private readonly ModelConfig _config = source.Config;
    private readonly StoredWeights _weights = new(source.Reader);
    private readonly Device _device = new(context.Device);
    private CalibrationBatches _batches = null!;
    private StoredBatches _stored = null!;
    private long _done;

    /// <summary>Layers that are passed in all: forward, and for gradients back again.</summary>
    private int Passes => _config.Layers * (need == CalibrationNeed.Gradients ? 2 : 1);

    /// <summary>Sums per layer; without calibration they are empty.</summary>
    public async Task<IReadOnlyList<LayerSums>> RunAsync(PruneOptions options, CancellationToken cancellationToken)
    {
        var sums = Enumerable.Range(0, _config.Layers).Select(_ => new LayerSums(_config.Experts, _config.ExpertSize, method.Sums(context.Options))).ToList();
        if (need == CalibrationNeed.None || options.Ratio == 0)
            return sums;
        var position = await RestoreAsync(sums, cancellationToken).ConfigureAwait(false);
        if (position.Sums.Count == _config.Layers)
            return sums;
        await OpenAsync(options, cancellationToken).ConfigureAwait(false);
        position = await ForwardAsync(position, sums, cancellationToken).ConfigureAwait(false);
        if (need == CalibrationNeed.Gradients)
            await BackwardAsync(position, sums, cancellationToken).ConfigureAwait(false);
        return sums;
    }

    private async Task OpenAsync(PruneOptions options, CancellationToken cancellationToken)
    {
        var calibration = options.Calibration!;
        var tokens = await CalibrationSet.LoadAsync(
            context.Artifacts, context.Dataset("calibration.data"), source.LoadTokenizer(), calibration.Samples, calibration.Length, options.Seed,
            context.Cache, context.Progress.Report, cancellationToken).ConfigureAwait(false);
        if (calibration.Length > _config.MaxPositions)
            throw new UserInputException($"'calibration.length' is {calibration.Length}, longer than the {_config.MaxPositions} positions of the model.");
        _batches = new CalibrationBatches(tokens, calibration.Batch);
        _stored = new StoredBatches(context.Artifacts.Blobs, _batches, _config.HiddenSize, _device);
    }

    private async Task<Position> ForwardAsync(Position position, List<LayerSums> sums, CancellationToken cancellationToken)
    {
        if (position.Streams.Count == 0)
        {
            using var embedding = Load(() => LayerDecoder.ReadEmbedding(_weights));
            position = position with { Streams = [await _stored.WriteAsync(batch => LayerDecoder.Embed(embedding, _batches.Tokens(batch), _device), cancellationToken).ConfigureAwait(false)] };
        }
        for (var layer = position.Streams.Count - 1; layer < _config.Layers; layer++)
        {
            using var decoder = Load(() => LayerDecoder.LoadLayer(_config, _weights, layer, _device));
            var calibration = new LayerCalibration(decoder, 0, method, need, sums[layer]);
            _done = (long)layer * _batches.Count;
            var next = await _stored.WriteAsync(batch => Step(() => calibration.Forward(_stored.Read(position.Streams[^1], batch))), cancellationToken).ConfigureAwait(false);
            position = position with { Streams = [.. position.Streams, next] };
            position = await SaveAsync(need == CalibrationNeed.Activations ? await FinishAsync(position, layer, sums[layer], cancellationToken).ConfigureAwait(false) : position, cancellationToken).ConfigureAwait(false);
        }
        return position;
    }

    private async Task BackwardAsync(Position position, List<LayerSums> sums, CancellationToken cancellationToken)
    {
        if (position.Gradient is null)
        {
            using var head = Load(() => LayerDecoder.LoadHead(_config, _weights, _device));
            var last = position.Streams[^1];
            position = position with { Gradient = await _stored.WriteAsync(batch => LayerCalibration.HeadGradient(head, _stored.Read(last, batch), _batches.Tokens(batch).to(_device)), cancellationToken).ConfigureAwait(false) };
        }
        for (var layer = _config.Layers - 1 - position.Sums.Count; layer >= 0; layer--)
        {
            using var decoder = Load(() => LayerDecoder.LoadLayer(_config, _weights, layer, _device));
            var calibration = new LayerCalibration(decoder, 0, method, need, sums[layer]);
            var (stream, above) = (position.Streams[layer], position.Gradient!.Value);
            _done = (long)(2 * _config.Layers - 1 - layer) * _batches.Count;
            var below = await _stored.WriteAsync(batch => Step(() => calibration.Backward(_stored.Read(stream, batch), _stored.Read(above, batch))), cancellationToken).ConfigureAwait(false);
            position = await SaveAsync(await FinishAsync(position with { Gradient = below }, layer, sums[layer], cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        }
    }

    private Tensor Step(Func<Tensor> run)
    {
        context.Progress.Report("calibrating", _done, (long)Passes * _batches.Count, "batches");
        var result = run();
        _done++;
        return result;
    }

    private static T Load<T>(Func<T> load)
    {
        try
        {
            return load();
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The source model cannot be loaded: {e.Message}", e);
        }
    }

    /// <summary>A layer's sums are complete.</summary>
    private async Task<Position> FinishAsync(Position position, int layer, LayerSums sums, CancellationToken cancellationToken)
    {
        var receipt = await context.Artifacts.Blobs.PutAsync(JsonSerializer.SerializeToUtf8Bytes(sums.Save()), cancellationToken).ConfigureAwait(false);
        return position with { Sums = [.. position.Sums, new FinishedLayer(layer, receipt.Digest)] };
    }

    private async Task<Position> SaveAsync(Position position, CancellationToken cancellationToken)
    {
        await context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(position, WireJson.Options), cancellationToken).ConfigureAwait(false);
        return position;
    }

    private async Task<Position> RestoreAsync(List<LayerSums> sums, CancellationToken cancellationToken)
    {
        if (await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false) is not { } bytes)
            return new Position([], null, []);
        var position = JsonSerializer.Deserialize<Position>(bytes, WireJson.Options)!;
        foreach (var blob in position.Streams.Append(position.Gradient ?? position.Streams[0]))
        {
            if (!await context.Artifacts.Blobs.ExistsAsync(blob, cancellationToken).ConfigureAwait(false))
                return StartAgain();
        }
        var saved = new List<JsonObject>();
        try
        {
            foreach (var layer in position.Sums)
                saved.Add(await ReadAsync(layer.Sums, cancellationToken).ConfigureAwait(false));
        }
        catch (MissingBlobException)
        {
            return StartAgain();
        }
        foreach (var (layer, text) in position.Sums.Zip(saved))
            sums[layer.Layer].Restore(text);
        return position;
    }

    private Position StartAgain()
    {
        context.Progress.Log("The saved position is no longer in the store; starting again.");
        return new Position([], null, []);
    }

    private async Task<JsonObject> ReadAsync(Digest blob, CancellationToken cancellationToken)
    {
        var stream = await context.Artifacts.Blobs.OpenReadAsync(blob, 0, null, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
            return (await JsonNode.ParseAsync(stream, cancellationToken: cancellationToken).ConfigureAwait(false))!.AsObject();
    }

    /// <summary>Where the run is.</summary>
    /// <param name="Streams">The stream before each layer and after the last, as far as layers were passed.</param>
    /// <param name="Gradient">The gradient after the layer that comes next on the way back; null before it began.</param>
    /// <param name="Sums">Layers whose sums are complete, in the order in which they were finished.</param>
    private sealed record Position(IReadOnlyList<Digest> Streams, Digest? Gradient, IReadOnlyList<FinishedLayer> Sums);

    /// <summary>The stored sums of a layer.</summary>
    private sealed record FinishedLayer(int Layer, Digest Sums);
}
