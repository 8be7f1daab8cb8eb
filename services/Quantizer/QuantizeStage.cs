using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Stages.Methods;
using Espalier.Tokenizers;
using Espalier.Modeling.Runtime;

namespace Espalier.Quantizer;

/// <summary>
/// Stores a model's matrices as codes of few bits. Works layer by layer: what a layer's inputs look like is measured behind the
/// layers that are quantized already, and the finished layer is a small checkpoint of its own that the cursor names, so a
/// killed step loses at most one layer and memory is that of one layer.
/// </summary>
public sealed class QuantizeStage : IStage
{
    private const string Matrices = "matrices";
    private const string PackedBytes = "packed-bytes";

    /// <inheritdoc/>
    public string Kind => StageKinds.Quantize;

    /// <inheritdoc/>
    public Type OptionsType => typeof(QuantizeOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new() { Outputs = [OutputNames.Model, OutputNames.Report] };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var source = await CheckpointReader.OpenAsync(context.Artifacts, context.Model(), cancellationToken).ConfigureAwait(false);
        try
        {
            var work = QuantizationWork.Prepare(context, source);
            var parts = await QuantizeLayersAsync(context, work, cancellationToken).ConfigureAwait(false);
            return await AssembleAsync(context, work, parts, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is InvalidModelException or InvalidTokenizerException)
        {
            throw new UserInputException($"The model of step '{context.Step.Name}' cannot be quantized: {e.Message}", e);
        }
    }

    private static async Task<List<CheckpointReader>> QuantizeLayersAsync(StageContext context, QuantizationWork work, CancellationToken cancellationToken)
    {
        var request = work.Method.Measure(context);
        using var stream = request is null
            ? null
            : await CalibrationStream.OpenAsync(context, work, cancellationToken).ConfigureAwait(false);
        var parts = await LoadCursorAsync(context, cancellationToken).ConfigureAwait(false);
        for (var layer = 0; layer < work.Config.Layers; layer++)
        {
            context.Progress.Report($"layer {layer + 1} of {work.Config.Layers}{(layer < parts.Count ? ", done before" : "")}",
                Math.Max(layer, parts.Count), work.Config.Layers, "layers");
            if (layer == parts.Count)
            {
                var part = await QuantizeLayerAsync(context, work, layer, request, stream, cancellationToken).ConfigureAwait(false);
                parts.Add(await CheckpointReader.OpenAsync(context.Artifacts, part, cancellationToken).ConfigureAwait(false));
                var position = new Position([.. parts.Select(p => p.Root)]);
                await context.Cursor.SaveAsync(JsonSerializer.SerializeToUtf8Bytes(position, WireJson.Options), cancellationToken).ConfigureAwait(false);
            }
            if (layer + 1 < work.Config.Layers)
                stream?.Advance(work.QuantizedConfig, new StoredWeights(parts[layer]), layer, cancellationToken);
            TorchRuntime.ReleaseFreeMemory();
        }
        context.Progress.Report("layers done", work.Config.Layers, work.Config.Layers, "layers");
        return parts;
    }

    private static async Task<ManifestRef> QuantizeLayerAsync(
        StageContext context, QuantizationWork work, int layer, HessianRequest? request, CalibrationStream? stream, CancellationToken cancellationToken)
    {
        using var collector = request is null ? null : stream!.Measure(work.Config, work.Weights, layer, request, cancellationToken);
        using var writer = new CheckpointWriter(context.Artifacts);
        var quantizer = new LayerQuantizer(work, context, writer);
        var names = work.Targets.OfLayer(layer);
        var records = new List<MatrixRecord>(names.Count);
        foreach (var name in names)
        {
            records.Add(await quantizer.QuantizeAsync(name, collector, cancellationToken).ConfigureAwait(false));
            TorchRuntime.ReleaseFreeMemory(); // matrices of many sizes leave holes behind that add up
            context.Progress.Report($"layer {layer + 1} of {work.Config.Layers}: {records.Count} of {names.Count} matrices",
                layer, work.Config.Layers, "layers");
        }
        foreach (var name in work.Source.Names.Where(n => n.StartsWith(TensorNames.Layer(layer), StringComparison.Ordinal)).Except(names))
        {
            work.CheckFinite(name);
            writer.AddExisting(work.Source.Entry(name));
        }
        writer.SetProperties(new JsonObject
        {
            [Matrices] = JsonSerializer.SerializeToNode(records, WireJson.Options),
            [PackedBytes] = quantizer.PackedBytes,
        });
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<StageResult> AssembleAsync(
        StageContext context, QuantizationWork work, List<CheckpointReader> parts, CancellationToken cancellationToken)
    {
        var records = parts.SelectMany(part => part.Manifest.Properties![Matrices].Deserialize<List<MatrixRecord>>(WireJson.Options)!).ToList();
        var fallbacks = records.Count(r => r.Fallback is not null);
        if (fallbacks > work.Options.MaxFallback * records.Count)
            throw new UserInputException(
                $"{fallbacks} of {records.Count} matrices fell back to rounding, more than 'max-fallback' {work.Options.MaxFallback} allows: "
                    + "give more calibration samples, or raise it.");

        using var writer = new CheckpointWriter(context.Artifacts);
        foreach (var entry in parts.SelectMany(part => part.Manifest.Tensors))
            writer.AddExisting(entry);
        foreach (var name in work.NamesOutsideLayers)
            writer.AddExisting(work.Source.Entry(name));
        foreach (var file in work.Source.Manifest.Files.Where(f => f.Path != QuantizationWork.ConfigFile))
            writer.AddExisting(file);
        await writer.AddFileAsync(QuantizationWork.ConfigFile, work.FinalConfig(work.Method.ReordersColumns(context)).ToJson(), cancellationToken)
            .ConfigureAwait(false);
        writer.AddParent(new Parent(work.Source.Root, "quantized", context.Step.Key));
        foreach (var data in context.Inputs.Where(i => i.Artifact.Kind == ArtifactKind.Dataset))
            writer.AddParent(new Parent(data.Artifact.Root, "data", context.Step.Key));
        foreach (var layer in work.Config.SparseLayers)
            for (var expert = 0; expert < work.Config.Experts; expert++)
                writer.AddExpertOrigin(new ExpertOrigin(layer, expert, work.Source.Root, layer, expert));
        writer.SetProperties(new JsonObject { ["quantization"] = work.Describe() });
        var model = await writer.CommitAsync(cancellationToken).ConfigureAwait(false);

        var packedBytes = parts.Sum(part => part.Manifest.Properties![PackedBytes]!.GetValue<long>());
        var report = new QuantizationReport(work, records, packedBytes, model);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef>
            {
                [OutputNames.Model] = model,
                [OutputNames.Report] = await report.WriteAsync(context, cancellationToken).ConfigureAwait(false),
            },
            Metrics = report.Metrics,
        };
    }

    private static async Task<List<CheckpointReader>> LoadCursorAsync(StageContext context, CancellationToken cancellationToken)
    {
        var parts = new List<CheckpointReader>();
        if (await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false) is not { } bytes)
            return parts;
        foreach (var root in JsonSerializer.Deserialize<Position>(bytes, WireJson.Options)!.Layers)
            parts.Add(await CheckpointReader.OpenAsync(context.Artifacts, root, cancellationToken).ConfigureAwait(false));
        context.Progress.Log($"resumes after layer {parts.Count}");
        return parts;
    }

    /// <summary>Where a step is: one stored part for each finished layer.</summary>
    private sealed record Position(IReadOnlyList<Digest> Layers);
}
