using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Quantizer.Mixing;
using Espalier.Stages;
using Espalier.Surgery.Calibration;

namespace Espalier.Quantizer;

/// <summary>
/// Stores a model's matrices as codes of few bits. Works layer by layer, see <see cref="LayerParts"/>, and puts the finished
/// layers together.
/// </summary>
public sealed class QuantizeStage : IStage
{
    /// <inheritdoc/>
    public string Kind => StageKinds.Quantize;

    /// <inheritdoc/>
    public Type OptionsType => typeof(QuantizeOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Stores weights in fewer bits.",
        Outputs = [OutputNames.Model, OutputNames.Report],
        Metrics = [.. StageMetric.Named(QuantizationReport.MetricNames)],
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var source = await CheckpointReader.OpenAsync(context.Artifacts, context.Model(), cancellationToken).ConfigureAwait(false);
        try
        {
            var work = QuantizationWork.Prepare(context, source);
            ILayerCollector<CheckpointReader> layers = work.Budget is null ? new LayerParts(context, work)
                : new MixedParts(context, work, QuantizationWork.SchemesOf(work.Method, work.Scheme, work.Format));
            var tokens = work.Method.NeedsText ? await LoadTextAsync(context, work, cancellationToken).ConfigureAwait(false) : null;
            var parts = await new CalibrationRun<CheckpointReader>(context, work.Config, work.Weights, layers)
                .RunAsync(tokens, work.Options.Calibration?.Batch ?? 1, cancellationToken).ConfigureAwait(false);
            context.Progress.Report("layers done", work.Config.Layers, work.Config.Layers, "layers");
            return await AssembleAsync(context, work, parts, tokens, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The model of step '{context.Step.Name}' cannot be quantized: {e.Message}", e);
        }
    }

    private static Task<CalibrationTokens> LoadTextAsync(StageContext context, QuantizationWork work, CancellationToken cancellationToken)
    {
        var text = new CalibrationText(context, work.Source, work.Config, work.Options.Calibration, work.Options.Seed);
        return work.Options.Calibration is not null
            ? text.LoadAsync(cancellationToken)
            : throw new UserInputException(
                $"Method '{work.Method.Name}' learns from text: name it in 'calibration', as {{ data: corpus:NAME, samples: 128, length: 128 }}.");
    }

    private static async Task<StageResult> AssembleAsync(
        StageContext context, QuantizationWork work, IReadOnlyList<CheckpointReader> parts, CalibrationTokens? tokens, CancellationToken cancellationToken)
    {
        var bytesOutside = work.NamesOutsideLayers.Sum(name => work.Source.Entry(name).SizeBytes);
        var layers = work.Budget is { } budget ? QuantizedLayers.Within(parts, budget, bytesOutside) : QuantizedLayers.Of(parts);
        var records = layers.Records;
        var fallbacks = records.Count(r => r.Fallback is not null);
        if (fallbacks > work.Options.MaxFallback * records.Count)
            throw new UserInputException(
                $"{fallbacks} of {records.Count} matrices fell back to rounding, more than 'max-fallback' {work.Options.MaxFallback} allows: "
                    + "give more calibration samples, or raise it.");

        using var writer = new CheckpointWriter(context.Artifacts);
        foreach (var (entry, name) in layers.Tensors)
            writer.AddExisting(entry, name);
        foreach (var name in work.NamesOutsideLayers)
            writer.AddExisting(work.Source.Entry(name));
        foreach (var file in work.Source.Manifest.Files.Where(f => f.Path != QuantizationWork.ConfigFile))
            writer.AddExisting(file);
        writer.AddConfig(work.FinalConfig(work.Method.ReordersColumns(context), layers.Bits).ToJson());
        writer.AddParent(new Parent(work.Source.Root, "quantized", context.Step.Key));
        foreach (var data in context.Inputs.Where(i => i.Artifact.Kind == ArtifactKind.Dataset))
            writer.AddParent(new Parent(data.Artifact.Root, "data", context.Step.Key));
        foreach (var layer in work.Config.SparseLayers)
            for (var expert = 0; expert < work.Config.Experts; expert++)
                writer.AddExpertOrigin(new ExpertOrigin(layer, expert, work.Source.Root, layer, expert));
        writer.SetProperties(new JsonObject { ["quantization"] = work.Describe() });
        var model = await writer.CommitAsync(cancellationToken).ConfigureAwait(false);

        var report = new QuantizationReport(work, records, layers.PackedBytes, model) 
        {
            Tokens = tokens,
            Folds = layers.Folds,
            Allocation = layers.Allocation,
        };
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef>
            {
                [OutputNames.Model] = model,
                [OutputNames.Report] = await report.WriteAsync(context, cancellationToken).ConfigureAwait(false),
            },
            Metrics = report.Metrics,
            Notes = report.Notes,
        };
    }
}
