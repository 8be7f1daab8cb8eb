using static TorchSharp.torch;

namespace Espalier.Evaluator.Texts;

/// <summary>One choice as tokens: the last <paramref name="Scored"/> targets are the choice.</summary>
/// <param name="Item">Index of the item.</param>
/// <param name="Choice">Index of the choice.</param>
/// <param name="Inputs">Tokens that the model reads.</param>
/// <param name="Targets">Tokens that it should predict.</param>
/// <param name="Scored">How many of them are scored, from the end.</param>
/// <param name="IsCut">Whether the context was cut on the left.</param>
internal sealed record ChoiceRequest(int Item, int Choice, long[] Inputs, long[] Targets, int Scored, bool IsCut);

/// <summary>Choices that run together, the longest first; padding comes after the scored tokens of the shorter ones.</summary>
internal sealed record ChoiceBatch(IReadOnlyList<ChoiceRequest> Requests) : ITokenBatch
{
    /// <inheritdoc/>
    public int Length => Requests[0].Inputs.Length;

    /// <inheritdoc/>
    public int Tokens => Requests.Count * Length;

    /// <inheritdoc/>
    public int Scored => Requests.Count;

    /// <inheritdoc/>
    public Tensor Inputs() => tensor(Padded(request => request.Inputs), [Requests.Count, Length], dtype: int64);

    /// <inheritdoc/>
    public Tensor Targets() => tensor(Padded(request => request.Targets), dtype: int64);

    /// <summary>The log-likelihood of each choice, nats, from -ln p of every position.</summary>
    public double[] Likelihoods(double[] scores)
    {
        var likelihoods = new double[Requests.Count];
        for (var row = 0; row < Requests.Count; row++)
        {
            var end = row * Length + Requests[row].Inputs.Length;
            for (var position = end - Requests[row].Scored; position < end; position++)
                likelihoods[row] -= scores[position];
        }
        return likelihoods;
    }

    private long[] Padded(Func<ChoiceRequest, long[]> part)
    {
        var ids = new long[Tokens];
        for (var row = 0; row < Requests.Count; row++)
            part(Requests[row]).CopyTo(ids, row * Length);
        return ids;
    }
}
