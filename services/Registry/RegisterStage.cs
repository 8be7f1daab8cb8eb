using System.Text.Json;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Registry.Datasets;
using Espalier.Registry.Gates;
using Espalier.Stages;
using FluentValidation;

namespace Espalier.Registry;

/// <summary>Options of the register stage.</summary>
public sealed record RegisterOptions
{
    /// <summary>Name.</summary>
    [Option("Name of the model or dataset in the registry.", Required = true, Pattern = ModelRegistry.NamePattern, PatternMeaning = ModelRegistry.NameMeaning)]
    public string Name { get; init; } = "";

    /// <summary>Alias to point to the new version.</summary>
    [Option("Alias that moves to the new version, such as 'candidate'.",
        Pattern = ModelRegistry.AliasPattern, PatternMeaning = ModelRegistry.AliasMeaning)]
    public string? Alias { get; init; }

    /// <summary>Which model.</summary>
    [Option("Model to register; needed when several steps among 'needs' make one.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>Which dataset.</summary>
    [Option("Dataset to register instead of a model: pipelines name it 'dataset:NAME@VERSION' from then on. It has no aliases.", Kind = OptionKind.Dataset)]
    public string? Dataset { get; init; }

    /// <summary>Free text.</summary>
    [Option("Text that is appended to the model card, or kept with the dataset.")]
    public string Description { get; init; } = "";
}

/// <summary>Rules over several options of the stage <c>register</c>.</summary>
internal sealed class RegisterOptionsValidator : AbstractValidator<RegisterOptions>
{
    public RegisterOptionsValidator()
    {
        RuleFor(o => o.Alias).Null().When(o => o.Dataset is not null).WithMessage("a dataset has versions and no aliases: leave 'alias' out");
        RuleFor(o => o.From).Null().When(o => o.Dataset is not null)
            .WithMessage("'from' and 'dataset' exclude each other: a step registers a model or a dataset");
    }
}

/// <summary>
/// Gives a checkpoint a name, a version and an alias, with its lineage and the metrics of every report among the inputs; or a dataset a name and
/// a version. The same step key registers once, however often it runs.
/// </summary>
public sealed class RegisterStage(ModelRegistry registry, VersionRegistrar registrar, DatasetNames datasets) : IStage
{
    private const string DatasetOption = "dataset";

    /// <inheritdoc/>
    public string Kind => StageKinds.Register;

    /// <inheritdoc/>
    public Type OptionsType => typeof(RegisterOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Gives a model a name and a version in the registry, with its lineage, its metrics and, if asked, an alias; or a dataset a name and "
            + "a version.",
        Outputs = [], // later steps read the model from where it was made
        IsEffect = true, // a version may be deleted and an alias moved since
        InputNamesMatter = true, // the names of metrics carry them
        DependsOnNumerics = false,
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<RegisterOptions>();
        if (options.Dataset is not null)
            return await RegisterDatasetAsync(context, options, context.Dataset(DatasetOption), cancellationToken).ConfigureAwait(false);
        if (context.FindModel() is null && context.Inputs.FirstOrDefault(i => i.Output == OutputNames.Data) is { } data)
            return await RegisterDatasetAsync(context, options, data.Artifact, cancellationToken).ConfigureAwait(false);
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

    private async Task<StageResult> RegisterDatasetAsync(
        StageContext context, RegisterOptions options, ManifestRef dataset, CancellationToken cancellationToken)
    {
        if (options.Alias is not null)
            throw new UserInputException("A dataset has versions and no aliases: leave 'alias' out.");
        var (registered, isNew) = await datasets.RegisterAsync(
            context.Artifacts, options.Name, dataset, context.Step.Key, context.Step.RunId, options.Description, cancellationToken).ConfigureAwait(false);
        context.Progress.Metric("version", registered.Version);
        context.Progress.Log($"{registered.Reference} {(isNew ? "registered" : "was registered before")}, root {dataset.Root.Short}");
        return new StageResult { Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Data] = dataset } };
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
