using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Statistics;
using Espalier.Evaluator.Texts;
using Espalier.Modeling;
using Espalier.Tokenizers;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tasks;

/// <summary>
/// Scores choices by likelihood: ll_c = sum ln p(tokens of the choice | context). Context and choice are tokenized together
/// and the context alone; what follows the context's length is the choice. Spaces at the end of the context belong to
/// the choice. Sequences of like length run together; padding comes after the scored tokens, which cannot see it.
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
    public async Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        await measurement.KeepAsync(TaskName, () => Run(measurement, cancellationToken), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ITaskReport Report(TaskResults results) => new Accuracies(results);

    // Log-likelihood of every choice of every item.
    private static double[][] Run(ModelMeasurement measurement, CancellationToken cancellationToken)
    {
        var (model, items) = (measurement.Model, measurement.Material.Items!);
        var decoder = model.Decoder; // loaded outside the scopes below
        var requests = items
            .SelectMany((item, i) => item.Choices.Select((_, c) => Encode(model.Tokenizer, item, i, c, model.Config.MaxPositions)))
            .OrderByDescending(request => request.Inputs.Length).ThenBy(request => request.Item).ThenBy(request => request.Choice)
            .ToList();
        var likelihoods = items.Select(item => new double[item.Choices.Count]).ToArray();
        var done = 0;
        foreach (var batch in requests.Chunk(measurement.Options.Batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Score(decoder, batch, likelihoods);
            done += batch.Length;
            measurement.Context.Progress.Report($"{model.Step}: multiple choice", done, requests.Count, "choices");
        }
        return likelihoods;
    }

    /// <summary>Tokens of one choice with its context, cut on the left when they exceed the model's context.</summary>
    internal static ChoiceRequest Encode(ITokenizer tokenizer, ChoiceItem item, int index, int choice, int maxPositions)
    {
        var trimmed = item.Context.TrimEnd(' ');
        var continuation = item.Context[trimmed.Length..] + item.Choices[choice];
        var whole = tokenizer.Encode(trimmed + continuation);
        var start = trimmed.Length == 0 ? 0 : Math.Min(tokenizer.Encode(trimmed).Length, whole.Length - 1);
        long[] tokens = [tokenizer.EndTokenId, .. whole.Select(id => (long)id)];
        var scored = whole.Length - start;
        if (scored < 1)
            throw new UserInputException($"Multiple-choice item '{item.Id}' of '{item.Set}': choice {choice} is empty.");
        if (scored > maxPositions)
            throw new UserInputException(
                $"Multiple-choice item '{item.Id}' of '{item.Set}': choice {choice} has {scored} tokens, more than the {maxPositions} positions of the model.");
        // With a context the end token in front is not needed; without one it is what the first token is conditioned on.
        if (start > 0)
            tokens = tokens[1..];
        var kept = Math.Min(tokens.Length, maxPositions + 1);
        tokens = tokens[^kept..];
        return new ChoiceRequest(index, choice, tokens[..^1], tokens[1..], scored);
    }

    private static void Score(MoeDecoder decoder, ChoiceRequest[] batch, double[][] likelihoods)
    {
        using var scope = NewDisposeScope();
        var length = batch[0].Inputs.Length; // the longest comes first
        var inputs = new long[batch.Length * length];
        var targets = new long[batch.Length * length];
        for (var row = 0; row < batch.Length; row++)
        {
            batch[row].Inputs.CopyTo(inputs, row * length);
            batch[row].Targets.CopyTo(targets, row * length);
        }
        var scores = TokenLikelihood.Score(decoder, tensor(inputs, [batch.Length, length], dtype: int64), tensor(targets, dtype: int64));
        for (var row = 0; row < batch.Length; row++)
        {
            var end = row * length + batch[row].Inputs.Length;
            for (var position = end - batch[row].Scored; position < end; position++)
                likelihoods[batch[row].Item][batch[row].Choice] -= scores[position];
        }
    }

    private sealed class Accuracies(TaskResults results) : ITaskReport
    {
        private readonly IReadOnlyList<ChoiceItem> _items = results.Material.Items!;

        public ModelSection OfModel(int model)
        {
            var sets = ChoiceReport.BySet(_items, results.Of<double[][]>(model)!);
            var all = sets.Count == 1 ? sets.Values.Single() : sets["all"];
            return new ModelSection(sets, new MetricTable
            {
                { "accuracy", all.Accuracy },
                { "accuracy-by-length", all.AccuracyByLength },
                { "gold-margin", all.GoldMargin },
            });
        }

        public PairSection OfPair(int first, int second)
        {
            var (a, b) = (ChoiceReport.Right(_items, results.Of<double[][]>(first)!), ChoiceReport.Right(_items, results.Of<double[][]>(second)!));
            var items = Enumerable.Repeat(1.0, a.Length).ToArray();
            var estimates = RatioEstimate.Of([new(AsNumbers(a), items), new(AsNumbers(b), items)], results.Options.Resamples, results.Options.Seed, "items");
            var accuracy = PairedComparison.Of(
                estimates[0].Value, estimates[1].Value, estimates[0].Resampled, estimates[1].Resampled, results.Options.Confidence);
            var probability = McNemar.TwoSided(a.Zip(b).Count(p => !p.First && p.Second), a.Zip(b).Count(p => p.First && !p.Second));
            var metrics = new MetricTable();
            metrics.Add("accuracy-difference", accuracy);
            return new PairSection(new Dictionary<string, object?> { ["accuracy"] = accuracy, ["mc-nemar-p"] = probability }, metrics);
        }

        private static double[] AsNumbers(bool[] right) => [.. right.Select(r => r ? 1.0 : 0)];
    }
}

/// <summary>One choice as tokens: the last <paramref name="Scored"/> targets are the choice.</summary>
internal sealed record ChoiceRequest(int Item, int Choice, long[] Inputs, long[] Targets, int Scored);
