using Espalier.Contracts;
using Espalier.Evaluator.Texts;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>
/// How far a model strays from a reference on the same tokens, teacher-forced: per token t
///   KL_t = sum_v p_T(v) (ln p_T(v) - ln p_S(v)) over the full vocabulary, softmax in float32, sums in float64,
/// whether both put the same token first, how many of the reference's five likeliest are among the model's, and whether the
/// first choice of each is the token that follows.
/// </summary>
internal static class AgreementPass
{
    /// <summary>Logits that each head holds at once.</summary>
    public const long MostLogits = 1 << 24;

    private const int Likeliest = 5;

    /// <summary>Compares on every token once.</summary>
    public static async Task<AgreementResult> RunAsync(
        ModelMeasurement measurement, ModelUnderTest reference, PassRunner runner, CancellationToken cancellationToken)
    {
        var (model, text) = (measurement.Model, measurement.Material.Text!);
        if (reference.TextDigest != model.TextDigest || reference.Config.VocabularySize != model.Config.VocabularySize)
            throw new UserInputException($"The models of '{model.Step}' and '{reference.Step}' have different vocabularies, or only one begins texts with "
                + "a token of its own, so their predictions cannot be compared token by token. "
                + "Leave the task agreement out, name another 'reference', or set 'bos'.");
        var streams = text.Tokenize(model.Tokenizer);
        var batches = WindowBatch.Of(streams, measurement.Material.Length, measurement.Options.Batch);
        var values = await runner.RunAsync(new PassWork
        {
            Phase = $"{model.Step}: agreement with {reference.Step}",
            Unit = "tokens",
            Models = [reference, model],
            Batches = batches,
            Finish = (batch, last) => Compare(last[0], last[1], batch.Targets()),
        }, cancellationToken).ConfigureAwait(false);
        var result = new AgreementResult
        {
            Divergence = new double[text.Documents.Count],
            SameFirst = new double[text.Documents.Count],
            Tokens = new long[text.Documents.Count],
            PerToken = new List<float>(checked((int)streams.Sum(stream => stream.Scored))),
        };
        return batches.Zip(values).Aggregate(result, (sum, pair) => sum.Add(pair.First.Documents, pair.Second));
    }

    /// <summary>Compares both models on one batch.</summary>
    /// <returns>(tokens, <see cref="AgreementResult.Columns"/>): divergence, same first choice, share of the likeliest in common, whether the
    /// teacher is right, whether the student is.</returns>
    internal static double[] Compare(BehindLayers teacher, BehindLayers student, Tensor targets)
    {
        var expected = targets.to(teacher.Head.Device);
        var chunk = Math.Max(1, MostLogits / teacher.Head.Config.VocabularySize);
        var values = new List<double>();
        for (var start = 0L; start < teacher.Rows.shape[0]; start += chunk)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(chunk, teacher.Rows.shape[0] - start);
            var p = LogProbabilities(teacher, start, count);                       // (n, V)
            var q = LogProbabilities(student, start, count);                       // (n, V)
            var divergence = (p.exp() * (p - q)).to(float64).sum([-1L]).clamp(min: 0); // (n)
            var (top, same) = (p.argmax(-1), q.argmax(-1));                       // (n)
            var many = Math.Min(Likeliest, teacher.Head.Config.VocabularySize);
            var overlap = (p.topk(many, -1).indexes.unsqueeze(2) == q.topk(many, -1).indexes.unsqueeze(1)).to(float64).sum([1L, 2L]) / many; // (n)
            var target = expected.narrow(0, start, count);
            var rows = stack([divergence, (top == same).to(float64), overlap, (top == target).to(float64), (same == target).to(float64)], 1); // (n, 5)
            values.AddRange(rows.cpu().contiguous().data<double>());
        }
        return values.TrueForAll(double.IsFinite)
            ? [.. values]
            : throw new UserInputException("The models' probabilities are not finite: activations overflow. Evaluate with 'precision: fp32'.");
    }

    private static Tensor LogProbabilities(BehindLayers last, long start, long count) =>
        last.Head.Head(last.Rows.narrow(0, start, count).unsqueeze(0)).squeeze(0).to(float32).log_softmax(-1);
}

/// <summary>What the comparison of one model with the reference found.</summary>
internal sealed record AgreementResult
{
    public const int Columns = 5;

    /// <summary>For each document, the sum of KL_t over its tokens, in nats.</summary>
    public required double[] Divergence { get; init; }

    /// <summary>For each document, the tokens for which both models put the same one first.</summary>
    public required double[] SameFirst { get; init; }

    /// <summary>For each document, the number of tokens compared.</summary>
    public required long[] Tokens { get; init; }

    /// <summary>KL_t of every token, for quantiles.</summary>
    public required List<float> PerToken { get; init; }

    /// <summary>Sum over tokens of the share of the reference's five likeliest that the model's five hold.</summary>
    public double Overlap { get; init; }

    /// <summary>Tokens that the reference's first choice hits and the model's misses.</summary>
    public long RightToWrong { get; init; }

    /// <summary>Tokens that the model's first choice hits and the reference's misses.</summary>
    public long WrongToRight { get; init; }

    /// <summary>With one batch more.</summary>
    /// <param name="documents">Document of each token, or <see cref="TokenStream.NotScored"/>.</param>
    /// <param name="values">(tokens, <see cref="Columns"/>).</param>
    public AgreementResult Add(IEnumerable<int> documents, double[] values)
    {
        var (overlap, worse, better) = (Overlap, RightToWrong, WrongToRight);
        var at = 0;
        foreach (var document in documents)
        {
            var token = values.AsSpan(at, Columns);
            at += Columns;
            if (document == TokenStream.NotScored)
                continue;
            Divergence[document] += token[0];
            SameFirst[document] += token[1];
            Tokens[document]++;
            PerToken.Add((float)token[0]);
            overlap += token[2];
            worse += token[3] > token[4] ? 1 : 0;
            better += token[4] > token[3] ? 1 : 0;
        }
        return this with { Overlap = overlap, RightToWrong = worse, WrongToRight = better };
    }
}
