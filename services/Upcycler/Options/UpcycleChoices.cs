namespace Espalier.Upcycler;

/// <summary>How the two halves of an expert become one score; fc1 is gate and up as one vector, fc2 is down.</summary>
public enum ScoreCombination
{
    /// <summary>Score of fc1.</summary>
    Fc1Only,

    /// <summary>Score of fc2.</summary>
    Fc2Only,

    /// <summary>Mean of both.</summary>
    Average,

    /// <summary>Product of both, each divided by its sum over the experts.</summary>
    Product,

    /// <summary>The larger of both.</summary>
    Max,

    /// <summary>The smaller of both.</summary>
    Min,
}

/// <summary>What becomes of the optimizer's moments.</summary>
public enum OptimizerStatePolicy
{
    /// <summary>All moments start at zero; no trainer state comes out.</summary>
    Reset,

    /// <summary>Moments of new experts and router rows start at zero, with step counts of their own; the others keep theirs.</summary>
    ResetNew,

    /// <summary>A new expert takes the moments and the step count of its source.</summary>
    Copy,

    /// <summary>The source's moments, halved and shrunk by how far the copy was moved.</summary>
    Scale,

    /// <summary>Moments of the source mixed with those of its nearest other expert.</summary>
    Interpolate,
}

/// <summary>Ways to start with exactly the source's function.</summary>
public enum Preservation
{
    /// <summary>None: top-K is unchanged, so copies crowd out other sources and the loss jumps a little.</summary>
    None,

    /// <summary>New experts start with a router logit so low that they are never chosen; the trainer raises it.</summary>
    Frozen,

    /// <summary>Tokens choose among sources, then one member of each chosen source by rule.</summary>
    SiblingExclusive,

    /// <summary>Each token uses multiplier times as many experts at first; the trainer goes back.</summary>
    Wide,
}
