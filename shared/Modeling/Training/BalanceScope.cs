namespace Espalier.Modeling.Training;

/// <summary>
/// Over which tokens the load-balancing loss takes its averages f and P, see <see cref="Losses"/>. The wider they are taken, the more
/// experts may specialise: of one text all may go to the same few.
/// </summary>
public enum BalanceScope
{
    /// <summary>Over each sequence; the loss is the mean over sequences.</summary>
    Sequence,

    /// <summary>Over each micro-batch; the loss is the mean over micro-batches.</summary>
    Batch,

    /// <summary>
    /// Over all micro-batches of an optimizer step (arXiv 2501.11873). The counts of all of them are needed before the first backward pass, so
    /// each is run forward once more; with one micro-batch a step it is <see cref="Batch"/>.
    /// </summary>
    Global,
}
