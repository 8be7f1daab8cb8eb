using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Resolution;
using Espalier.Stages.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Surgery.Estimates;

/// <summary>Answers for the estimates of this process. Reads manifests and configurations, never a tensor.</summary>
/// <param name="estimates">Estimates of the stages.</param>
/// <param name="store">Where models are that exist already; null when there is none.</param>
/// <param name="memoryOn">Memory that there is for a step on a device class, in bytes; 0 when nobody says.</param>
public sealed class StageEstimates(IEnumerable<IStageEstimate> estimates, ArtifactStore? store = null, Func<string, long>? memoryOn = null)
    : IStepEstimator, IOfferedEstimates
{
    private const int MostHeaders = 1000;
    private readonly Dictionary<string, IStageEstimate> _estimates = estimates.ToDictionary(e => e.Kind);
    private readonly ConcurrentDictionary<Digest, ModelHeader?> _headers = new();

    /// <summary>Kinds that have an estimate.</summary>
    public IReadOnlyCollection<string> Kinds => _estimates.Keys;

    /// <inheritdoc/>
    public Task<StepEstimated?> EstimateAsync(StageCode code, EstimateStep step, CancellationToken cancellationToken) => EstimateAsync(step, cancellationToken);

    /// <summary>The estimate of a step; null when a model that goes in cannot be read.</summary>
    public async Task<StepEstimated?> EstimateAsync(EstimateStep step, CancellationToken cancellationToken)
    {
        var inputs = new List<EstimateInput>();
        foreach (var input in step.Inputs)
        {
            var model = input.Model is { } header ? Read(header)
                : input.Root is { } root ? await ReadAsync(root, cancellationToken).ConfigureAwait(false) : null;
            if (model is null && (input.Root is not null || input.Model is not null))
                return null;
            inputs.Add(new EstimateInput(input.As, input.Step, model));
        }
        var request = new EstimateRequest(step.Name, step.Options, inputs) { MemoryBytes = memoryOn?.Invoke(step.Device ?? DeviceNames.Cpu) ?? 0 };
        var before = Shape(request.FindModel());
        if (step.Made is { } made)
            return Describe(before, await ReadAsync(made, cancellationToken).ConfigureAwait(false));
        if (!_estimates.TryGetValue(step.Kind, out var stage))
            return new StepEstimated { Before = before };
        try
        {
            var estimate = stage.Estimate(request);
            return Describe(before, estimate.Model) with
            {
                NewBytes = estimate.NewBytes, SharedBytes = estimate.SharedBytes, MemoryBytes = estimate.MemoryBytes, Operations = estimate.Operations,
                Choices = estimate.Choices,
                Smaller = [.. SmallerSteps.Of(stage, request, estimate.MemoryBytes)],
            };
        }
        catch (Exception e) when (e is UserInputException or InvalidModelException)
        {
            return new StepEstimated { Before = before, Refusal = e.Message };
        }
    }

    private async Task<ModelHeader?> ReadAsync(Digest root, CancellationToken cancellationToken)
    {
        if (store is null)
            return null;
        if (_headers.TryGetValue(root, out var known))
            return known;
        ModelHeader? header = null;
        try
        {
            var reader = await CheckpointReader.OpenAsync(store, root, cancellationToken).ConfigureAwait(false);
            header = reader.Manifest.Kind == ArtifactKind.Checkpoint ? ModelHeader.Of(reader) : null;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidModelException)
        {
            // Swept since, or not of a family that we know: nothing can be said of it.
            return null;
        }
        if (_headers.Count >= MostHeaders)
            _headers.Clear();
        return _headers[root] = header;
    }

    private static StepEstimated Describe(ModelShape? before, ModelHeader? model) =>
        new() { Before = before, After = Shape(model), Model = model is null ? null : Write(model) };

    // Which experts will be siblings is known only when the model is grown, and a config.json may not say one without the other.
    private static JsonElement Write(ModelHeader model)
    {
        var isOpen = model.Config is { SiblingExclusive: true, SiblingGroups: null };
        var config = isOpen ? model.Config with { SiblingExclusive = false } : model.Config;
        return JsonSerializer.SerializeToElement(
            new Header(JsonNode.Parse(config.ToJson())!, isOpen, model.HasRouterBias, model.HasSelectionBias, model.SizeBytes), WireJson.Options);
    }

    private static ModelHeader Read(JsonElement json)
    {
        var header = json.Deserialize<Header>(WireJson.Options)!;
        var config = ModelConfig.Parse(JsonSerializer.SerializeToUtf8Bytes(header.Config));
        return new ModelHeader(
            header.IsSiblingExclusive ? config with { SiblingExclusive = true } : config, header.HasRouterBias, header.HasSelectionBias, header.SizeBytes);
    }

    private static ModelShape? Shape(ModelHeader? model) => model is null ? null : new ModelShape
    {
        Layers = model.Config.Layers,
        HiddenSize = model.Config.HiddenSize,
        Experts = model.Config.Experts,
        ExpertsPerToken = model.Config.ExpertsPerToken,
        ExpertSize = model.Config.ExpertSize,
        VocabularySize = model.Config.VocabularySize,
        TotalParameters = model.Config.TotalParameters,
        ActiveParameters = model.Config.ActiveParameters,
        SizeBytes = model.SizeBytes,
        BeyondPlain = model.BeyondPlain,
    };

    private sealed record Header(JsonNode Config, bool IsSiblingExclusive, bool HasRouterBias, bool HasSelectionBias, long SizeBytes);
}

/// <summary>Registers estimates.</summary>
public static class StageEstimateServiceCollectionExtensions
{
    /// <summary>Adds the estimate of a stage; the worker of the process then answers for it.</summary>
    public static IServiceCollection AddStageEstimate<T>(this IServiceCollection services) where T : class, IStageEstimate
    {
        services.TryAddSingleton(provider => new StageEstimates(
            provider.GetServices<IStageEstimate>(), provider.GetService<ArtifactStore>(),
            provider.GetService<StageWorkerOptions>() is { } worker ? device => worker.ClassOf(device).SlotBytes : null));
        services.TryAddSingleton<IOfferedEstimates>(provider => provider.GetRequiredService<StageEstimates>());
        return services.AddSingleton<IStageEstimate, T>();
    }
}
