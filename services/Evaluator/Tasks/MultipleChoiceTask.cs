using Espalier.Contracts;
using Espalier.Evaluator.Texts;
using Espalier.Modeling;
using Espalier.Modeling.Tokenizers;
using Espalier.Stages;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tasks;

/// <summary>
/// Scores choices by likelihood: ll_c = sum ln p(tokens of the choice | context). Context and choice are tokenized together
/// and the context alone; what follows the context's length is the choice. Spaces at the end of the context belong to
/// the choice. Sequences of like length run together; padding comes after the scored tokens, which cannot see it.
/// </summary>
internal static class MultipleChoiceTask
{
    /// <summary>Log-likelihood of every choice of every item.</summary>
    public static double[][] Run(
        StageContext context, ModelUnderTest model, IReadOnlyList<ChoiceItem> items, EvaluateOptions options, CancellationToken cancellationToken)
    {
        var decoder = model.Decoder; // loaded outside the scopes below
        var requests = items
            .SelectMany((item, i) => item.Choices.Select((_, c) => Encode(model.Tokenizer, item, i, c, model.Config.MaxPositions)))
            .OrderByDescending(request => request.Inputs.Length).ThenBy(request => request.Item).ThenBy(request => request.Choice)
            .ToList();
        var likelihoods = items.Select(item => new double[item.Choices.Count]).ToArray();
        var done = 0;
        foreach (var batch in requests.Chunk(options.Batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Score(decoder, batch, likelihoods);
            done += batch.Length;
            context.Progress.Report($"{model.Step}: multiple choice", done, requests.Count, "choices");
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
            throw new UserInputException($"Multiple-choice item '{item.Id}' of '{item.Set}': choice {choice} has {scored} tokens, more than the {maxPositions} positions of the model.");
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
}

/// <summary>One choice as tokens: the last <paramref name="Scored"/> targets are the choice.</summary>
internal sealed record ChoiceRequest(int Item, int Choice, long[] Inputs, long[] Targets, int Scored);
