namespace Espalier.Modeling.Training;

/// <summary>What a micro-batch must know of the optimizer step that it is a part of.</summary>
internal sealed record MicroBatchPlace
{
    /// <summary>Optimizer step, counted from the beginning of the order of the data.</summary>
    public long Step { get; init; }

    /// <summary>Number of its first sequence within the step.</summary>
    public long FirstSequence { get; init; }

    /// <summary>(E) selections per row of all micro-batches of the step and all layers, which sum to K; null to use the micro-batch's own.</summary>
    public float[]? StepShares { get; init; }
}
