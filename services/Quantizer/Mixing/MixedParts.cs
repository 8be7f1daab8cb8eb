using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using Espalier.Surgery.Calibration;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Mixing;

/// <summary>
/// Rounds every unit of a layer to every width, measures what each does to the layer's output, and keeps the codes of all of them: which are used is
/// known when all layers are measured. The next layer is measured behind this one as it was.
/// </summary>
internal sealed class MixedParts(StageContext context, QuantizationWork work, IReadOnlyList<QuantizationScheme> schemes) : ILayerCollector<CheckpointReader>
{
    private const string Units = "units";

    private readonly Device _device = new(context.Device);

    /// <summary>What was measured in a layer.</summary>
    public static IReadOnlyList<MeasuredUnit> UnitsOf(CheckpointReader part) =>
        part.Manifest.Properties![Units].Deserialize<List<MeasuredUnit>>(WireJson.Options)!;

    /// <summary>The name in a part of a tensor that belongs to a choice.</summary>
    public static string NameOf(string tensor, int bits) => $"{tensor}@{bits}";

    /// <summary>The name in the model and the bits of a tensor that belongs to a choice; null for others.</summary>
    public static (string Name, int Bits)? ChoiceOf(string name) => name.LastIndexOf('@') is var at and > 0
        ? (name[..at], int.Parse(name.AsSpan(at + 1), CultureInfo.InvariantCulture)) : null;

    /// <inheritdoc/>
    public async Task<CheckpointReader?> ForwardAsync(int layer, ForwardPass pass, CancellationToken cancellationToken)
    {
        using var decoder = LayerDecoder.LoadLayer(work.Config, work.Weights, layer, _device);
        using var writer = new CheckpointWriter(context.Artifacts);
        var names = work.Targets.OfLayer(layer);
        var units = MixedUnit.Of(layer, names);
        var measured = new List<MeasuredUnit>();
        foreach (var unit in units)
        {
            context.Progress.Report(
                $"layer {layer + 1} of {work.Config.Layers}: {measured.Count} of {units.Count} units", layer, work.Config.Layers, "layers");
            measured.Add(await MeasureAsync(layer, unit, decoder, pass, writer, cancellationToken).ConfigureAwait(false));
        }
        foreach (var name in work.Source.Names.Where(n => n.StartsWith(TensorNames.Layer(layer), StringComparison.Ordinal)).Except(names))
        {
            work.CheckFinite(name);
            writer.AddExisting(work.Source.Entry(name));
        }
        writer.SetProperties(new JsonObject { [Units] = JsonSerializer.SerializeToNode(measured, WireJson.Options) });
        var root = await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        if (layer + 1 < work.Config.Layers)
            await pass.PassAsync(batch => decoder.RunLayer(0, batch), cancellationToken).ConfigureAwait(false);
        GC.Collect(); // as in LayerParts
        TorchRuntime.ReleaseFreeMemory();
        return await CheckpointReader.OpenAsync(context.Artifacts, root, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<Digest> StoreAsync(CheckpointReader collected, CancellationToken cancellationToken) => Task.FromResult(collected.Root);

    /// <inheritdoc/>
    public Task<CheckpointReader> LoadAsync(Digest stored, CancellationToken cancellationToken) =>
        CheckpointReader.OpenAsync(context.Artifacts, stored, cancellationToken);

    private async Task<MeasuredUnit> MeasureAsync(
        int layer, MixedUnit unit, MoeDecoder decoder, ForwardPass pass, CheckpointWriter writer, CancellationToken cancellationToken)
    {
        var (choices, records) = (new List<BitChoice>(), new List<IReadOnlyList<MatrixRecord>>());
        foreach (var scheme in schemes)
        {
            var (bytes, lines) = (0L, new List<MatrixRecord>());
            using var rounded = new ReplacedWeights(decoder);
            foreach (var name in unit.Matrices)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var (parts, record) = Round(layer, name, scheme, rounded);
                lines.Add(record);
                foreach (var part in parts)
                {
                    await writer.AddTensorAsync(NameOf(part.Name, scheme.Bits), part.DType, part.Shape, part.Bytes, cancellationToken).ConfigureAwait(false);
                    bytes += part.Bytes.Length;
                }
            }
            var damage = new LayerDamage(decoder, rounded);
            pass.Look(damage.Add, cancellationToken);
            choices.Add(new BitChoice(scheme.Bits, bytes, damage.Value));
            records.Add(lines);
        }
        return new MeasuredUnit(unit.Name, unit.Matrices, choices, records);
    }

    private (IReadOnlyList<StoredTensor> Parts, MatrixRecord Record) Round(int layer, string name, QuantizationScheme scheme, ReplacedWeights rounded)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stored = work.ReadMatrix(name);
        var quantized = work.Method.Quantize(new MatrixToQuantize(name, stored.to(float32), stored.dtype, null), scheme, context);
        rounded.Add(TensorNames.Layer(0) + name[TensorNames.Layer(layer).Length..], quantized.Grid.Dequantize(quantized.Codes));
        return (CodedTensors.Of(quantized, work.Format, scheme, stored.dtype), quantized.Record);
    }
}
