using System.Text.Json;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Registry.Gates;
using Espalier.Stages;

namespace Espalier.Registry;

/// <summary>Options of the register stage.</summary>
public sealed record RegisterOptions
{
    /// <summary>Model name.</summary>
    [Option("Name of the model in the registry.", Required = true, Pattern = ModelRegistry.NamePattern, PatternMeaning = ModelRegistry.NameMeaning)]
    public string Name { get; init; } = "";

    /// <summary>Alias to point to the new version.</summary>
    [Option("Alias that moves to the new version, such as 'candidate'.",
        Pattern = ModelRegistry.AliasPattern, PatternMeaning = ModelRegistry.AliasMeaning)]
    public string? Alias { get; init; }

    /// <summary>Which model.</summary>
    [Option("Model to register; needed when several steps among 'needs' make one.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>Free text.</summary>
    [Option("Text that is appended to the model card.")]
    public string Description { get; init; } = "";
}

/// <summary>
/// Gives a checkpoint a name, a version and an alias, with its lineage and the metrics of every report among the inputs.
/// The same step key registers once, however often it runs.
/// </summary>
public sealed class RegisterStage(ModelRegistry registry, VersionRegistrar registrar) : IStage
{
    /// <inheritdoc/>
    public string Kind => StageKinds.Register;

    /// <inheritdoc/>
    public Type OptionsType => typeof(RegisterOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Outputs = [], // later steps read the model from where it was made
        IsEffect = true, // a version may be deleted and an alias moved since
        InputNamesMatter = true, // the names of metrics carry them
        DependsOnNumerics = false,
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<RegisterOptions>();
        var model = context.Model();
        var source = context.Inputs.First(i => i.Artifact.Root == model.Root).Step;
        var metrics = await ReadMetricsAsync(context, source, cancellationToken).ConfigureAwait(false);
        var (version, isNew) = await registrar.RegisterAsync(
            context.Artifacts,
            new Registration
            {
                Model = options.Name,
                Checkpoint = model,
                StepKey = context.Step.Key,
                RunId = context.Step.RunId,
                Description = options.Description,
                Reports = [.. context.Inputs.Where(i => i.Output == OutputNames.Report).Select(i => i.Artifact.Root)],
                Metrics = metrics,
            },
            cancellationToken).ConfigureAwait(false);
        if (options.Alias is { } alias)
        {
            try
            {
                var (actor, reason) = ($"run {context.Step.RunId:N}", $"step '{context.Step.Name}'");
                await registry.MoveAliasAsync(
                    options.Name, alias, version.Version, actor, reason, cancellationToken, context.Step.RunId).ConfigureAwait(false);
            }
            catch (GateRefusedException e)
            {
                // The version stays registered; the alias waits for better numbers or for an approval.
                throw new UserInputException($"{options.Name}@{version.Version} is registered, but {e.Message}", e);
            }
        }
        context.Progress.Metric("version", version.Version);
        context.Progress.Log($"{options.Name}@{version.Version} {(isNew ? "registered" : "was registered before")}, root {model.Root.Short}");
        return new StageResult { Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = model } };
    }

    // Reports name metrics MODELSTEP.METRIC; those of the registered model lose the prefix, the others keep it.
    private static async Task<IReadOnlyDictionary<string, double>> ReadMetricsAsync(StageContext context, string source, CancellationToken cancellationToken)
    {
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var report in context.Inputs.Where(i => i.Output == OutputNames.Report))
        {
            var reader = await CheckpointReader.OpenAsync(context.Artifacts, report.Artifact, cancellationToken).ConfigureAwait(false);
            if (!reader.HasFile("report.json"))
                continue;
            using var document = JsonDocument.Parse(reader.ReadFile("report.json"));
            if (!document.RootElement.TryGetProperty("metrics", out var values) || values.ValueKind != JsonValueKind.Object)
                continue;
            foreach (var value in values.EnumerateObject().Where(v => v.Value.ValueKind == JsonValueKind.Number))
            {
                var prefix = source + ".";
                var name = value.Name.StartsWith(prefix, StringComparison.Ordinal) ? value.Name[prefix.Length..] : value.Name;
                metrics[name] = value.Value.GetDouble();
            }
        }
        return metrics;
    }
}
