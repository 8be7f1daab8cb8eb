using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Tasks;
using Espalier.Evaluator.Texts;
using Espalier.Stages;
using Espalier.Datasets;
using Espalier.Stages.Methods;

namespace Espalier.Evaluator;

/// <summary>
/// Measures any number of models on the same text. Each (model, pass) result is stored as a blob that the cursor names, so a killed
/// evaluation resumes with the next one. A model whose weights fit into a share of the free memory is held whole; of any other, one layer is in
/// memory at a time, and a killed evaluation resumes with the next layer. Both give the same bits.
/// </summary>
public sealed class EvaluateStage : IStage
{
    private readonly MemoryLimits _limits;

    /// <summary>Creates the stage.</summary>
    public EvaluateStage() : this(new MemoryLimits())
    {
    }

    internal EvaluateStage(MemoryLimits limits) => _limits = limits;

    /// <inheritdoc/>
    public string Kind => StageKinds.Evaluate;

    /// <inheritdoc/>
    public Type OptionsType => typeof(EvaluateOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Measures models on text and questions that they were not trained on, with intervals, and compares them in pairs.",
        Outputs = [OutputNames.Report],
        InputNamesMatter = true, // the names of metrics carry them
        Metrics = DeclaredMetrics(),
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<EvaluateOptions>();
        var tasks = FindTasks(options);
        var models = await OpenModelsAsync(context, options, cancellationToken).ConfigureAwait(false);
        foreach (var task in tasks)
            task.Check(options, models);
        var material = await MaterialAsync(context, options, tasks, models, cancellationToken).ConfigureAwait(false);
        Place(context, options, tasks, models, material);
        var found = await MeasureAsync(context, options, tasks, models, material, cancellationToken).ConfigureAwait(false);
        var xz = material.Text is { } corpus && options.Xz
            ? await XzCompressor.MeasureAsync(corpus, cancellationToken).ConfigureAwait(false)
            : null;
        var reports = tasks.Select((task, t) => NamedReport.Of(task, new TaskResults(options, material, models, [.. found.Select(ofModel => ofModel[t])])))
            .ToList();
        var report = EvaluationReport.Build(options, material, models, reports, xz);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef>
            {
                [OutputNames.Report] = await ReportWriter.WriteAsync(context, report, models, reports, cancellationToken).ConfigureAwait(false),
            },
            Metrics = report.Metrics,
        };
    }

    private static List<IEvaluationTask> FindTasks(EvaluateOptions options) => options.Tasks.Count == 0
        ? throw new UserInputException($"'tasks' is empty: name one or more of {string.Join(", ", MethodCatalog<IEvaluationTask>.Names)}.")
        : [.. options.Tasks.Distinct().Order(StringComparer.Ordinal).Select(name => MethodCatalog<IEvaluationTask>.Get(name, "tasks"))];

    private void Place(
        StageContext context, EvaluateOptions options, List<IEvaluationTask> tasks, List<ModelUnderTest> models, EvaluationMaterial material)
    {
        var placement = new ModelPlacement(
            options, material.Length, tasks.Max(task => task.ModelsAtOnce), _limits.UsableBytes(context.MemoryBytes));
        foreach (var note in models.Select(model => model.Place(placement, mustSave: context.MemoryDivisor > 1)).OfType<string>())
            context.Progress.Log(note);
    }

    // What every task found, model by model.
    private async Task<List<object?[]>> MeasureAsync(
        StageContext context, EvaluateOptions options, List<IEvaluationTask> tasks, List<ModelUnderTest> models,
        EvaluationMaterial material, CancellationToken cancellationToken)
    {
        var finished = await FinishedPasses.LoadAsync(context, cancellationToken).ConfigureAwait(false);
        var found = new List<object?[]>(models.Count);
        try
        {
            foreach (var model in models)
            {
                using (model)
                {
                    var measurement = new ModelMeasurement(context, options, material, models, model, finished, _limits);
                    var ofModel = new object?[tasks.Count];
                    for (var task = 0; task < tasks.Count; task++)
                        ofModel[task] = await tasks[task].MeasureAsync(measurement, cancellationToken).ConfigureAwait(false);
                    found.Add(ofModel);
                }
            }
        }
        finally
        {
            models.ForEach(model => model.Dispose()); // a task may have loaded others than the one whose turn it was
        }
        return found;
    }

    private static async Task<List<ModelUnderTest>> OpenModelsAsync(StageContext context, EvaluateOptions options, CancellationToken cancellationToken)
    {
        var models = new List<ModelUnderTest>();
        foreach (var input in context.Inputs.Where(i => i.Output is OutputNames.Model or "from").DistinctBy(i => i.Step))
            models.Add(await ModelUnderTest.OpenAsync(context, input, options, cancellationToken).ConfigureAwait(false));
        if (models.Count == 0)
            throw new UserInputException($"Step '{context.Step.Name}' needs a model: name the steps that make models in 'needs'.");
        if (options.Baseline is { } baseline && models.TrueForAll(model => model.Step != baseline))
            throw new UserInputException(
                $"'baseline' is '{baseline}'; the models of step '{context.Step.Name}' come from {string.Join(", ", models.Select(m => $"'{m.Step}'"))}.");
        return models;
    }

    private static async Task<EvaluationMaterial> MaterialAsync(
        StageContext context, EvaluateOptions options, List<IEvaluationTask> tasks, List<ModelUnderTest> models, CancellationToken cancellationToken)
    {
        var needs = tasks.Aggregate(EvaluationNeeds.None, (all, task) => all | task.Needs);
        var (needsText, needsItems) = (needs.HasFlag(EvaluationNeeds.Documents), needs.HasFlag(EvaluationNeeds.MultipleChoice));
        var length = EvaluationMaterial.ChooseLength(options.Length, models);
        var dataset = needsText || needsItems
            ? await TextDataset.OpenAsync(context.Artifacts, context.Dataset(), cancellationToken).ConfigureAwait(false)
            : null;
        return new EvaluationMaterial
        {
            Length = length,
            Text = needsText
                ? (await DatasetText.ReadAsync(dataset!, options.Split, cancellationToken).ConfigureAwait(false))
                    .Take(options.MaxDocuments, options.MaxTokens, models[0].Tokenizer)
                : null,
            Items = needsItems ? await DatasetText.ReadChoicesAsync(dataset!, options.Items, cancellationToken).ConfigureAwait(false) : null,
        };
    }

    private static List<StageMetric> DeclaredMetrics()
    {
        const string Tasks = "tasks", Baseline = "baseline";
        return
        [
            .. StageMetric.Named(["total-parameters", "active-parameters", "bytes"]).Select(OfModel),
            new("xz.bits-per-byte"),
            .. MethodCatalog<IEvaluationTask>.All.SelectMany(task => StageMetric.Named(task.Metrics, (Tasks, [task.Name])).Select(OfModel)),
            .. MethodCatalog<IEvaluationTask>.All.SelectMany(
                task => StageMetric.Named(task.PairMetrics, (Tasks, [task.Name]), (Baseline, [])).Select(OfModel)),
        ];

        static StageMetric OfModel(StageMetric metric) => metric with { Name = $"{StageMetric.Model}.{metric.Name}" };
    }
}
