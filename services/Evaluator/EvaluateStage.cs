using System.Text.Json;
using Espalier.Contracts;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Tasks;
using Espalier.Evaluator.Texts;
using Espalier.Stages;
using Espalier.Stages.Data;

namespace Espalier.Evaluator;

/// <summary>
/// Measures any number of models on the same text. Each (model, pass) result is stored as a blob that the cursor names, so a killed
/// evaluation goes on with the next one; one model's weights are in memory at a time.
/// </summary>
public sealed class EvaluateStage : IStage
{
    /// <inheritdoc/>
    public string Kind => StageKinds.Evaluate;

    /// <inheritdoc/>
    public Type OptionsType => typeof(EvaluateOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Outputs = [OutputNames.Report],
        InputNamesMatter = true, // the names of metrics carry them
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<EvaluateOptions>();
        var models = await OpenModelsAsync(context, options, cancellationToken).ConfigureAwait(false);
        var material = await MaterialAsync(context, options, models, cancellationToken).ConfigureAwait(false);
        var finished = await FinishedPasses.LoadAsync(context, cancellationToken).ConfigureAwait(false);
        var results = new List<ModelResult>(models.Count);
        using var reference = FindReference(options, models);
        foreach (var model in models)
        {
            using (model)
            {
                results.Add(new ModelResult(model)
                {
                    Corpus = material.Text is not { } text || !NeedsCorpus(options) ? null : await finished.GetAsync(
                        $"{model.Step}/corpus", () => CorpusPass.Run(context, model, text, options, material.Length, cancellationToken), cancellationToken).ConfigureAwait(false),
                    Agreement = reference is null || model == reference ? null : await finished.GetAsync(
                        $"{model.Step}/agreement", () => AgreementPass.Run(context, reference, model, material.Text!, options, material.Length, cancellationToken), cancellationToken).ConfigureAwait(false),
                    Choices = material.Items is not { } items ? null : await finished.GetAsync(
                        $"{model.Step}/multiple-choice", () => MultipleChoiceTask.Run(context, model, items, options, cancellationToken), cancellationToken).ConfigureAwait(false),
                    Logits = material.Tokens is { } tokens ? LogitsTask.Run(model, tokens) : null,
                });
            }
        }
        var xz = material.Text is { } corpus && options.Xz
            ? await XzCompressor.MeasureAsync(corpus, cancellationToken).ConfigureAwait(false)
            : null;
        var report = EvaluationReport.Build(options, material, results, reference?.Step, xz);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Report] = await ReportWriter.WriteAsync(context, report, results, cancellationToken).ConfigureAwait(false) },
            Metrics = ReportMetrics.Of(report),
        };
    }

    private static async Task<List<ModelUnderTest>> OpenModelsAsync(StageContext context, EvaluateOptions options, CancellationToken cancellationToken)
    {
        var models = new List<ModelUnderTest>();
        foreach (var input in context.Inputs.Where(i => i.Output is OutputNames.Model or "from").DistinctBy(i => i.Step))
            models.Add(await ModelUnderTest.OpenAsync(context, input, options.Precision, cancellationToken).ConfigureAwait(false));
        if (models.Count == 0)
            throw new UserInputException($"Step '{context.Step.Name}' needs a model: name the steps that make models in 'needs'.");
        if (options.Baseline is { } baseline && models.TrueForAll(model => model.Step != baseline))
            throw new UserInputException($"'baseline' is '{baseline}'; the models of step '{context.Step.Name}' come from {string.Join(", ", models.Select(m => $"'{m.Step}'"))}.");
        return models;
    }

    private static bool NeedsCorpus(EvaluateOptions options) => options.Tasks.Contains(EvaluateOptions.ValidationLoss) || options.Tasks.Contains(EvaluateOptions.Routing);

    private static ModelUnderTest? FindReference(EvaluateOptions options, List<ModelUnderTest> models)
    {
        if (!options.Tasks.Contains(EvaluateOptions.Agreement))
            return null;
        if (models.Count < 2)
            throw new UserInputException("The task 'agreement' compares models with a reference: name at least two models, the reference first or in 'reference'.");
        var name = options.Reference ?? options.Baseline ?? models[0].Step;
        return models.Find(model => model.Step == name)
            ?? throw new UserInputException($"'reference' is '{name}'; the models come from {string.Join(", ", models.Select(m => $"'{m.Step}'"))}.");
    }

    private static async Task<EvaluationMaterial> MaterialAsync(
        StageContext context, EvaluateOptions options, IReadOnlyList<ModelUnderTest> models, CancellationToken cancellationToken)
    {
        if (options.Tasks.Count == 0)
            throw new UserInputException("'tasks' is empty: name validation-loss, multiple-choice, routing, agreement or logits.");
        var needsText = NeedsCorpus(options) || options.Tasks.Contains(EvaluateOptions.Agreement);
        var needsItems = options.Tasks.Contains(EvaluateOptions.MultipleChoice);
        var length = EvaluationMaterial.ChooseLength(options.Length, models);
        var dataset = needsText || needsItems
            ? await TextDataset.OpenAsync(context.Artifacts, context.Dataset(), cancellationToken).ConfigureAwait(false)
            : null;
        return new EvaluationMaterial
        {
            Length = length,
            Text = needsText
                ? (await DatasetText.ReadAsync(dataset!, options.Split, cancellationToken).ConfigureAwait(false)).Take(options.MaxDocuments, options.MaxTokens, models[0].Tokenizer)
                : null,
            Items = needsItems ? await DatasetText.ReadChoicesAsync(dataset!, options.Items, cancellationToken).ConfigureAwait(false) : null,
            Tokens = options.Tasks.Contains(EvaluateOptions.Logits) ? LogitsTask.Check(options.Tokens, models) : null,
        };
    }
}
