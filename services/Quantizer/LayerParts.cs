using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using Espalier.Surgery.Calibration;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer;

/// <summary>
/// Quantizes layer by layer: the inputs of a layer's matrices are measured behind the layers that are quantized already, with the layer's own
/// weights still whole, and the finished layer is a small checkpoint of its own.
/// </summary>
internal sealed class LayerParts(StageContext context, QuantizationWork work) : ILayerCollector<CheckpointReader>
{
    private const string Matrices = "matrices";
    private const string PackedBytes = "packed-bytes";
    private const string Folds = "folds";

    private readonly HessianRequest? _request = work.Method.Measure(context);
    private readonly Device _device = new(context.Device);

    /// <summary>Whether calibration text is needed.</summary>
    public bool NeedsText => _request is not null;

    /// <summary>What the report says of a layer's matrices.</summary>
    public static IReadOnlyList<MatrixRecord> RecordsOf(CheckpointReader part) =>
        part.Manifest.Properties![Matrices].Deserialize<List<MatrixRecord>>(WireJson.Options)!;

    /// <summary>What the report says of a layer's fused groups; empty for methods that scale nothing.</summary>
    public static IReadOnlyList<FoldRecord> FoldsOf(CheckpointReader part) =>
        part.Manifest.Properties![Folds]?.Deserialize<List<FoldRecord>>(WireJson.Options) ?? [];

    /// <summary>Bytes of a layer's codes, scales, zero points and shapes.</summary>
    public static long PackedBytesOf(CheckpointReader part) => part.Manifest.Properties![PackedBytes]!.GetValue<long>();

    /// <inheritdoc/>
    public async Task<CheckpointReader?> ForwardAsync(int layer, ForwardPass pass, CancellationToken cancellationToken)
    {
        var root = await QuantizeAsync(layer, pass, cancellationToken).ConfigureAwait(false);
        var part = await CheckpointReader.OpenAsync(context.Artifacts, root, cancellationToken).ConfigureAwait(false);
        if (NeedsText && layer + 1 < work.Config.Layers)
        {
            using var quantized = LayerDecoder.LoadLayer(work.QuantizedConfig, new StoredWeights(part), layer, _device);
            await pass.PassAsync(batch => quantized.RunLayer(0, batch), cancellationToken).ConfigureAwait(false);
        }
        GC.Collect(); // the layer's bytes: left to itself, the collector waits for about as many again
        TorchRuntime.ReleaseFreeMemory();
        return part;
    }

    /// <inheritdoc/>
    public Task<Digest> StoreAsync(CheckpointReader collected, CancellationToken cancellationToken) => Task.FromResult(collected.Root);

    /// <inheritdoc/>
    public Task<CheckpointReader> LoadAsync(Digest stored, CancellationToken cancellationToken) =>
        CheckpointReader.OpenAsync(context.Artifacts, stored, cancellationToken);

    private async Task<ManifestRef> QuantizeAsync(int layer, ForwardPass pass, CancellationToken cancellationToken)
    {
        using var collector = _request is null ? null : Measure(layer, pass, _request, cancellationToken);
        using var writer = new CheckpointWriter(context.Artifacts);
        var names = work.Targets.OfLayer(layer);
        var (fold, folds) = work.Method is IFoldingMethod folding && collector is not null
            ? new FoldSearch(work, context, folding).Find(layer, names, collector, cancellationToken) : (null, null);
        using var folded = fold;
        var quantizer = new LayerQuantizer(work, context, writer, fold);
        var records = new List<MatrixRecord>(names.Count);
        foreach (var name in names)
        {
            context.Progress.Report(
                $"layer {layer + 1} of {work.Config.Layers}: {records.Count} of {names.Count} matrices", layer, work.Config.Layers, "layers");
            records.Add(await quantizer.QuantizeAsync(name, collector, cancellationToken).ConfigureAwait(false));
            TorchRuntime.ReleaseFreeMemory(); // matrices of many sizes leave holes behind that add up
        }
        foreach (var name in work.Source.Names.Where(n => n.StartsWith(TensorNames.Layer(layer), StringComparison.Ordinal)).Except(names))
        {
            work.CheckFinite(name);
            if (fold?.Rewritten.Contains(name) is true)
                await WriteFoldedAsync(name, fold, writer, cancellationToken).ConfigureAwait(false);
            else
                writer.AddExisting(work.Source.Entry(name));
        }
        var properties = new JsonObject
        {
            [Matrices] = JsonSerializer.SerializeToNode(records, WireJson.Options),
            [PackedBytes] = quantizer.PackedBytes,
        };
        if (folds is not null)
            properties[Folds] = JsonSerializer.SerializeToNode(folds, WireJson.Options);
        writer.SetProperties(properties);
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task WriteFoldedAsync(string name, LayerFold fold, CheckpointWriter writer, CancellationToken cancellationToken)
    {
        var part = Fold();
        await writer.AddTensorAsync(part.Name, part.DType, part.Shape, part.Bytes, cancellationToken).ConfigureAwait(false);

        StoredTensor Fold()
        {
            using var scope = NewDisposeScope();
            var stored = work.Weights.Read(name);
            var value = fold.Apply(name, stored.to(float32)).to(stored.dtype);
            QuantizationWork.RefuseNonFinite(name, value);
            return CodedTensors.Stored(name, value);
        }
    }

    // The collector keeps the layer and the inputs of its block until it is disposed.
    private HessianCollector Measure(int layer, ForwardPass pass, HessianRequest request, CancellationToken cancellationToken)
    {
        context.Progress.Report($"layer {layer + 1} of {work.Config.Layers}: measuring inputs", layer, work.Config.Layers, "layers");
        var collector = new HessianCollector(LayerDecoder.LoadLayer(work.Config, work.Weights, layer, _device), request);
        try
        {
            pass.Look(collector.Run, cancellationToken);
            return collector;
        }
        catch
        {
            collector.Dispose();
            throw;
        }
    }
}
