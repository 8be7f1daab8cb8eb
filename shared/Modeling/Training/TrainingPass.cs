using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// What a training step does in its forward passes that no other pass does. Dropout (arXiv 1207.0580): a value is zero with chance p, and
/// divided by 1 - p otherwise. Which ones is a function of seed, optimizer step, sequence, layer and place alone: a resumed run, a layer that
/// is computed again, and a micro-batch that is cut into parts draw the same.
/// </summary>
internal sealed record TrainingPass
{
    /// <summary>Chance p for what attention and feed-forwards add to the stream.</summary>
    public double Dropout { get; init; }

    /// <summary>Chance p for the output of each routed expert.</summary>
    public double ExpertDropout { get; init; }

    /// <summary>Factor of the experts' capacity; null for no limit.</summary>
    public double? Capacity { get; init; }

    /// <summary>Where documents begin that attention stays within, see <see cref="DocumentBorders"/>; null where it does not.</summary>
    public long[]? DocumentStarts { get; init; }

    /// <summary>Seed of the run.</summary>
    public long Seed { get; init; }

    /// <summary>Optimizer step, counted from the beginning of the order of the data.</summary>
    public long Step { get; init; }

    /// <summary>Number of the first sequence within the step.</summary>
    public long FirstSequence { get; init; }

    /// <summary>Drops from (B, S, H) or (B S, H) what attention or a feed-forward adds to the stream.</summary>
    public Tensor DropFromStream(Tensor added, string place, int layer, long sequences)
    {
        if (Dropout == 0)
            return added;
        using var scope = NewDisposeScope();
        return (added * Mask(Dropout, $"{place} {layer}", sequences, added.numel() / sequences, added).view(added.shape)).MoveToOuterDisposeScope();
    }

    /// <summary>Drops from outputs of experts (N, H).</summary>
    /// <param name="outputs">A row for each of the choices in <paramref name="order"/>.</param>
    /// <param name="order">(N) which of the T K choices of the tokens, int64.</param>
    /// <param name="choices">T K.</param>
    /// <param name="layer">Layer index.</param>
    /// <param name="sequences">Sequences that the tokens are of.</param>
    public Tensor DropFromExperts(Tensor outputs, Tensor order, long choices, int layer, long sequences)
    {
        if (ExpertDropout == 0)
            return outputs;
        using var scope = NewDisposeScope();
        var width = outputs.shape[1];
        var mask = Mask(ExpertDropout, $"experts {layer}", sequences, choices / sequences * width, outputs).view(choices, width); // (T K, H)
        return (outputs * mask.index_select(0, order)).MoveToOuterDisposeScope();
    }

    // (B, n) of 0 and 1 / (1 - p)
    private Tensor Mask(double chance, string place, long sequences, long count, Tensor like)
    {
        using var untracked = no_grad();
        using var least = (Scalar)chance;
        using var scale = (Scalar)(1 / (1 - chance));
        var rows = new List<Tensor>();
        for (var sequence = 0L; sequence < sequences; sequence++)
        {
            using var generator = RandomStream.For(Seed, FormattableString.Invariant($"dropout {Step} {FirstSequence + sequence} {place}"));
            rows.Add(rand(count, generator: generator).ge(least));
        }
        return stack(rows).to(like.device).to(like.dtype).mul_(scale);
    }
}
