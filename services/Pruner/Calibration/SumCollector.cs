using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Methods;
using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Calibration;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>What calibration gave.</summary>
/// <param name="Layers">Sums of every layer, dense ones included; empty sums when nothing was to be seen.</param>
/// <param name="Tokens">The text; null when nothing was to be seen.</param>
internal sealed record CalibrationSums(IReadOnlyList<LayerSums> Layers, CalibrationTokens? Tokens);

/// <summary>Shows a pruning method what it needs to see of each layer, and keeps its sums.</summary>
internal sealed class SumCollector(StageContext context, MoeCheckpoint source, IPruningMethod method, CalibrationNeed need) : ILayerCollector<LayerSums>
{
    private readonly ModelConfig _config = source.Config;
    private readonly StoredWeights _weights = new(source.Reader);
    private readonly Device _device = new(context.Device);
    private IReadOnlyList<LayerSums>? _before; // of the rounds before this one
    private long _done;

    /// <inheritdoc/>
    public bool NeedsGradients => need == CalibrationNeed.Gradients;

    private int Passes => _config.Layers * (NeedsGradients ? 2 : 1);

    /// <summary>Sums over the step's calibration text.</summary>
    public static async Task<CalibrationSums> CollectAsync(
        StageContext context, MoeCheckpoint source, IPruningMethod method, CalibrationNeed need, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<PruneOptions>();
        var collector = new SumCollector(context, source, method, need);
        if (need == CalibrationNeed.None)
            return new CalibrationSums([.. Enumerable.Range(0, source.Config.Layers).Select(_ => collector.EmptySums())], null);
        var calibration = options.Calibration!;
        var tokens = await new CalibrationText(
            context, source.Reader, source.Config, calibration with { Samples = calibration.MostSamples }, options.Seed)
            .LoadAsync(cancellationToken).ConfigureAwait(false);
        if (calibration.TokensPerExpert > 0)
            return await collector.CoverAsync(calibration, tokens, cancellationToken).ConfigureAwait(false);
        var run = new CalibrationRun<LayerSums>(context, source.Config, collector._weights, collector);
        return new CalibrationSums(await run.RunAsync(tokens, calibration.Batch, cancellationToken).ConfigureAwait(false), tokens);
    }

    // Twice the samples, until every expert has its tokens or there are no more. Sequences that were seen are not run again.
    private async Task<CalibrationSums> CoverAsync(PruneCalibrationOptions calibration, CalibrationTokens tokens, CancellationToken cancellationToken)
    {
        var cursor = new CoverageCursor(context.Cursor);
        await cursor.OpenAsync(cancellationToken).ConfigureAwait(false);
        await RestoreAsync(cursor, cancellationToken).ConfigureAwait(false);
        while (cursor.Samples < tokens.Samples && !IsCovered())
        {
            var (first, end) = (cursor.Samples, Math.Min(tokens.Samples, cursor.Samples == 0 ? calibration.Samples : 2 * cursor.Samples));
            var run = new CalibrationRun<LayerSums>(WithCursor(cursor), _config, _weights, this);
            _before = await run.RunAsync(tokens.Slice(first, end - first), calibration.Batch, cancellationToken).ConfigureAwait(false);
            var stored = new List<Digest>();
            foreach (var layer in _before)
                stored.Add(await StoreAsync(layer, cancellationToken).ConfigureAwait(false));
            await cursor.AdvanceAsync(end, stored, cancellationToken).ConfigureAwait(false);
        }
        return new CalibrationSums(_before!, tokens.Slice(0, cursor.Samples));

        bool IsCovered() => _before is not null && _config.SparseLayers.All(l => _before[l].Tokens.All(t => t >= calibration.TokensPerExpert));
    }

    private async Task RestoreAsync(CoverageCursor cursor, CancellationToken cancellationToken)
    {
        try
        {
            var sums = new List<LayerSums>();
            foreach (var stored in cursor.Sums)
                sums.Add(await LoadAsync(stored, cancellationToken).ConfigureAwait(false));
            if (sums.Count == _config.Layers)
                _before = sums;
            else if (cursor.Samples > 0)
                cursor.Reset();
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException or JsonException)
        {
            cursor.Reset(); // swept or damaged since
        }
    }

    private StageContext WithCursor(IStageCursor cursor) => new()
    {
        Step = context.Step,
        Options = context.Options,
        Inputs = context.Inputs,
        Artifacts = context.Artifacts,
        Cursor = cursor,
        Progress = context.Progress,
        Cache = context.Cache,
        Device = context.Device,
        MemoryDivisor = context.MemoryDivisor,
        MemoryBytes = context.MemoryBytes,
        KeyWith = context.KeyWith,
    };

    /// <inheritdoc/>
    public async Task<LayerSums?> ForwardAsync(int layer, ForwardPass pass, CancellationToken cancellationToken)
    {
        using var decoder = LayerDecoder.LoadLayer(_config, _weights, layer, _device);
        var sums = StartingSums(layer);
        var calibration = new LayerCalibration(decoder, 0, method, need, sums) { Options = context.Options };
        _done = (long)layer * pass.Batches;
        await pass.PassAsync(stream => Count(pass.Batches, () => calibration.Forward(stream)), cancellationToken).ConfigureAwait(false);
        return NeedsGradients ? null : sums;
    }

    /// <inheritdoc/>
    public async Task<LayerSums> BackwardAsync(int layer, BackwardPass pass, CancellationToken cancellationToken)
    {
        using var decoder = LayerDecoder.LoadLayer(_config, _weights, layer, _device);
        var sums = StartingSums(layer);
        var calibration = new LayerCalibration(decoder, 0, method, need, sums) { Options = context.Options };
        _done = (long)(Passes - 1 - layer) * pass.Batches;
        await pass.PassAsync((stream, above) => Count(pass.Batches, () => calibration.Backward(stream, above)), cancellationToken).ConfigureAwait(false);
        return sums;
    }

    /// <inheritdoc/>
    public async Task<Digest> StoreAsync(LayerSums collected, CancellationToken cancellationToken) =>
        (await context.Artifacts.Blobs.PutAsync(JsonSerializer.SerializeToUtf8Bytes(collected.Save()), cancellationToken).ConfigureAwait(false)).Digest;

    /// <inheritdoc/>
    public async Task<LayerSums> LoadAsync(Digest stored, CancellationToken cancellationToken)
    {
        var stream = await context.Artifacts.Blobs.OpenReadAsync(stored, 0, null, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var sums = EmptySums();
            sums.Restore((await JsonNode.ParseAsync(stream, cancellationToken: cancellationToken).ConfigureAwait(false))!.AsObject());
            return sums;
        }
    }

    private LayerSums EmptySums() => new(_config.Experts, _config.ExpertSize, method.Sums(context.Options));

    // What earlier rounds gave, so that this one adds to it: a copy, since a round that is killed begins its layer again.
    private LayerSums StartingSums(int layer)
    {
        var sums = EmptySums();
        if (_before is not null)
            sums.Restore(_before[layer].Save());
        return sums;
    }

    private Tensor Count(int batches, Func<Tensor> run)
    {
        context.Progress.Report("calibrating", _done, (long)Passes * batches, "batches");
        var result = run();
        _done++;
        return result;
    }
}
