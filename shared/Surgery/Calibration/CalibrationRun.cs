using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Calibration;

/// <summary>
/// Runs calibration text through a model one layer at a time: all batches go through a layer before the next one is loaded. For gradients the
/// layers then run again from the last to the first. After every layer the position is saved, so a killed run loses at most one, and memory is
/// that of one layer and one batch. Without text the layers are visited all the same.
/// </summary>
/// <typeparam name="T">What is collected in one layer.</typeparam>
/// <param name="context">The step, whose cursor keeps the position.</param>
/// <param name="config">The model's configuration.</param>
/// <param name="weights">The model's tensors.</param>
/// <param name="collector">What happens in each layer.</param>
public sealed class CalibrationRun<T>(StageContext context, ModelConfig config, IWeightSource weights, ILayerCollector<T> collector) where T : class
{
    private readonly Dictionary<int, T> _collected = [];
    private CalibrationPosition _position = CalibrationPosition.Start;

    /// <summary>Passes every layer that an earlier attempt did not.</summary>
    /// <param name="tokens">Calibration text; null when the collector needs none.</param>
    /// <param name="batch">Sequences that run together.</param>
    /// <param name="cancellationToken">Stops after the batch.</param>
    /// <returns>What each layer gave, first layer first.</returns>
    /// <exception cref="UserInputException">The model cannot be loaded.</exception>
    public async Task<IReadOnlyList<T>> RunAsync(CalibrationTokens? tokens, int batch, CancellationToken cancellationToken)
    {
        var batches = tokens is null ? null : new StoredBatches(context.Artifacts.Blobs, tokens, batch, config.HiddenSize, new Device(context.Device));
        await RestoreAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await ForwardAsync(batches, cancellationToken).ConfigureAwait(false);
            if (collector.NeedsGradients)
                await BackwardAsync(batches!, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The source model cannot be loaded: {e.Message}", e);
        }
        return [.. Enumerable.Range(0, config.Layers).Select(layer => _collected[layer])];
    }

    private async Task ForwardAsync(StoredBatches? batches, CancellationToken cancellationToken)
    {
        if (batches is not null && _position.Streams.Count == 0)
        {
            using var embedding = LayerDecoder.ReadEmbedding(config, weights); // (V, H)
            var first = await batches.WriteAsync(
                batch => LayerDecoder.Embed(embedding, batches.Tokens(batch), batches.Device), cancellationToken).ConfigureAwait(false);
            _position = _position with { Streams = [first] };
        }
        while (_position.Passed < config.Layers)
        {
            var layer = _position.Passed;
            var pass = new ForwardPass(batches, _position.Streams.LastOrDefault());
            var collected = await collector.ForwardAsync(layer, pass, cancellationToken).ConfigureAwait(false);
            if (pass.Next is { } next)
                _position = _position with { Streams = collector.NeedsGradients ? [.. _position.Streams, next] : [next] };
            _position = _position with { Passed = layer + 1 };
            await SaveAsync(layer, collected, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task BackwardAsync(StoredBatches batches, CancellationToken cancellationToken)
    {
        if (_position.Gradient is null)
        {
            using var head = LayerDecoder.LoadHead(config, weights, batches.Device);
            var last = _position.Streams[^1];
            var gradient = await batches.WriteAsync(
                batch => HeadGradient.Of(head, batches.Read(last, batch), batches.Tokens(batch).to(batches.Device)), cancellationToken).ConfigureAwait(false);
            _position = _position with { Gradient = gradient };
        }
        for (var layer = config.Layers - 1 - _position.Finished.Count; layer >= 0; layer--)
        {
            var pass = new BackwardPass(batches, _position.Streams[layer], _position.Gradient!.Value);
            var collected = await collector.BackwardAsync(layer, pass, cancellationToken).ConfigureAwait(false);
            _position = _position with { Gradient = pass.Below };
            await SaveAsync(layer, collected, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task SaveAsync(int layer, T? collected, CancellationToken cancellationToken)
    {
        if (collected is not null)
        {
            _collected[layer] = collected;
            var stored = await collector.StoreAsync(collected, cancellationToken).ConfigureAwait(false);
            _position = _position with { Finished = [.. _position.Finished, new FinishedLayer(layer, stored)] };
        }
        await context.Cursor.SaveAsync(_position.ToJson(), cancellationToken).ConfigureAwait(false);
    }

    private async Task RestoreAsync(CancellationToken cancellationToken)
    {
        if (await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false) is not { } bytes)
            return;
        if (CalibrationPosition.Parse(bytes) is not { } position || !await IsThereAsync(position, cancellationToken).ConfigureAwait(false))
        {
            _collected.Clear();
            context.Progress.Log("What the saved position names cannot be read from the store; starting again.");
            return;
        }
        _position = position;
        context.Progress.Log($"resumes after layer {position.Passed}{(position.Gradient is null ? "" : $", and {position.Finished.Count} layers back")}");
    }

    private async Task<bool> IsThereAsync(CalibrationPosition position, CancellationToken cancellationToken)
    {
        foreach (var blob in position.Blobs)
        {
            if (!await context.Artifacts.Blobs.ExistsAsync(blob, cancellationToken).ConfigureAwait(false))
                return false;
        }
        try
        {
            foreach (var (layer, stored) in position.Finished)
                _collected[layer] = await collector.LoadAsync(stored, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException or JsonException)
        {
            return false; // swept or damaged since
        }
    }
}
