using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Statistics;
using Espalier.Evaluator.Texts;
using Espalier.Tokenizers;

namespace Espalier.Evaluator.Tasks;

/// <summary>
/// Scores choices by likelihood: ll_c = sum ln p(tokens of the choice | context). Context and choice are tokenized together
/// and the context alone; what follows the context's length is the choice. White space at the end of the context belongs to
/// the choice, as in lm-evaluation-harness. Sequences of like length run together; padding comes after the scored tokens, which cannot see it.
/// </summary>
internal sealed class MultipleChoiceTask : IEvaluationTask
{
    /// <summary>Its name in the option <c>tasks</c>.</summary>
    public const string TaskName = "multiple-choice";

    /// <inheritdoc/>
    public string Name => TaskName;

    /// <inheritdoc/>
    public string Summary => "Accuracy on the dataset's multiple-choice items, by the likelihood of each choice.";

    /// <inheritdoc/>
    public EvaluationNeeds Needs => EvaluationNeeds.MultipleChoice;

    /// <inheritdoc/>
    public IReadOnlyList<string> Metrics { get; } = ["accuracy", "accuracy-by-length", "gold-margin", "cut-items"];

    /// <inheritdoc/>
    public IReadOnlyList<string> PairMetrics { get; } = [.. MetricTable.NamesOfDifference("accuracy-difference")];

    /// <inheritdoc/>
    public async Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        await measurement.KeepAsync(TaskName, runner => RunAsync(measurement, runner, cancellationToken), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ITaskReport Report(TaskResults results) => new Accuracies(results);

    private static async Task<ChoiceScores> RunAsync(ModelMeasurement measurement, PassRunner runner, CancellationToken cancellationToken)
    {
        var (model, items) = (measurement.Model, measurement.Material.Items!);
        var requests = items
            .SelectMany((item, i) => item.Choices.Select((_, c) => Encode(model.Tokenizer, item, i, c, model.Config.MaxPositions)))
            .OrderByDescending(request => request.Inputs.Length).ThenBy(request => request.Item).ThenBy(request => request.Choice)
            .ToList();
        var scores = await runner.RunAsync(new PassWork
        {
            Phase = $"{model.Step}: multiple choice",
            Unit = "choices",
            Models = [model],
            Batches = [.. requests.Chunk(measurement.Options.Batch).Select(batch => new ChoiceBatch(batch))],
            Finish = (batch, last) => ((ChoiceBatch)batch).Likelihoods(TokenLikelihood.Score(last[0], batch.Targets())),
        }, cancellationToken).ConfigureAwait(false);
        var likelihoods = items.Select(item => new double[item.Choices.Count]).ToArray();
        foreach (var (request, likelihood) in requests.Zip(scores.SelectMany(ofBatch => ofBatch)))
            likelihoods[request.Item][request.Choice] = likelihood;
        var cut = new bool[items.Count];
        foreach (var request in requests.Where(request => request.IsCut))
            cut[request.Item] = true;
        var count = cut.Count(isCut => isCut);
        if (count > 0)
            measurement.Context.Progress.Log(
                $"{model.Step}: {count} of {items.Count} multiple-choice items are longer than the model's {model.Config.MaxPositions} positions; "
                + "their contexts were cut on the left.");
        return new ChoiceScores(likelihoods, cut);
    }

    /// <summary>Tokens of one choice with its context, cut on the left when they exceed the model's context.</summary>
    internal static ChoiceRequest Encode(ITokenizer tokenizer, ChoiceItem item, int index, int choice, int maxPositions)
    {
        var trimmed = item.Context[..ContextEnd(item.Context)];
        var continuation = item.Context[trimmed.Length..] + item.Choices[choice];
        var whole = tokenizer.EncodeFromStart(trimmed + continuation);
        var first = tokenizer.AddsBeginToken ? 1 : 0;
        var start = trimmed.Length == 0 ? first : Math.Min(tokenizer.EncodeFromStart(trimmed).Length, whole.Length - 1);
        var scored = whole.Length - start;
        if (continuation.Length == 0 || scored < 1)
            throw new UserInputException($"Multiple-choice item '{item.Id}' of '{item.Set}': choice {choice} is empty.");
        if (scored > maxPositions)
            throw new UserInputException(
                $"Multiple-choice item '{item.Id}' of '{item.Set}': choice {choice} has {scored} tokens, more than the {maxPositions} positions of the model.");
        // Without a context or a beginning-of-text token the end token is what the first token is conditioned on.
        long[] tokens = [.. start == 0 ? [tokenizer.EndTokenId] : (long[])[], .. whole.Select(id => (long)id)];
        var kept = Math.Min(tokens.Length, maxPositions + 1);
        var isCut = kept < tokens.Length;
        tokens = tokens[^kept..];
        return new ChoiceRequest(index, choice, tokens[..^1], tokens[1..], scored, isCut);
    }

    // Where Python's rstrip() ends a text: Unicode white space, and the four information separators, which .NET does not count.
    private static int ContextEnd(string context)
    {
        var end = context.Length;
        while (end > 0 && (char.IsWhiteSpace(context[end - 1]) || context[end - 1] is >= '\u001C' and <= '\u001F'))
            end--;
        return end;
    }

    private sealed class Accuracies(TaskResults results) : ITaskReport
    {
        private readonly IReadOnlyList<ChoiceItem> _items = results.Material.Items!;

        public ModelSection OfModel(int model)
        {
            var sets = ChoiceReport.BySet(_items, results.Of<ChoiceScores>(model)!);
            var all = sets.Count == 1 ? sets.Values.Single() : sets["all"];
            return new ModelSection(sets, new MetricTable
            {
                { "accuracy", all.Accuracy },
                { "accuracy-by-length", all.AccuracyByLength },
                { "gold-margin", all.GoldMargin },
                { "cut-items", all.CutItems },
            });
        }

        public PairSection OfPair(int first, int second)
        {
            var (a, b) = (ChoiceReport.Right(_items, results.Of<ChoiceScores>(first)!), ChoiceReport.Right(_items, results.Of<ChoiceScores>(second)!));
            var items = Enumerable.Repeat(1.0, a.Length).ToArray();
            var estimates = RatioEstimate.Of([new(AsNumbers(a), items), new(AsNumbers(b), items)], results.Options.Resamples, results.Options.Seed, "items");
            var accuracy = PairedComparison.Of(estimates[0], estimates[1], results.Options.Confidence);
            var probability = McNemar.TwoSided(a.Zip(b).Count(p => !p.First && p.Second), a.Zip(b).Count(p => p.First && !p.Second));
            var metrics = new MetricTable();
            metrics.Add("accuracy-difference", accuracy);
            return new PairSection(new Dictionary<string, object?> { ["accuracy"] = accuracy, ["mc-nemar-p"] = probability }, metrics);
        }

        private static double[] AsNumbers(bool[] right) => [.. right.Select(r => r ? 1.0 : 0)];
    }
}

/// <summary>What one model's pass over the items found.</summary>
/// <param name="Likelihoods">Log-likelihood of every choice of every item, nats.</param>
/// <param name="IsCut">For each item, whether its context was cut.</param>
internal sealed record ChoiceScores(double[][] Likelihoods, bool[] IsCut);
