namespace Espalier.Modeling.Training;

/// <summary>How the share of pruned weights rises between its beginning and its end.</summary>
public enum SparsityRamp
{
    /// <summary>Fast first, and ever slower: s_f (1 - (1 - u)^3) (arXiv 1710.01878).</summary>
    Cubic,

    /// <summary>Evenly: s_f u.</summary>
    Linear,
}

/// <summary>
/// The share of pruned weights, step by step (sparse pre-training, arXiv 2501.12486): none before <see cref="First"/>, then a ramp in u, which
/// runs from 0 at <see cref="First"/> to 1 at <see cref="Last"/>, and <see cref="Final"/> from there on. Between prunings the share stays.
/// </summary>
public sealed record SparsitySchedule
{
    private const int Prunings = 100; // where nothing else is said: few enough to cost nothing, many enough to be gradual

    private SparsitySchedule()
    {
    }

    /// <summary>Share of the weights that are pruned at the end, s_f.</summary>
    public required double Final { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public required long Steps { get; init; }

    /// <summary>First step of the ramp, counted from 0.</summary>
    public required long First { get; init; }

    /// <summary>First step at the final share, at least <see cref="First"/>.</summary>
    public required long Last { get; init; }

    /// <summary>Steps between prunings.</summary>
    public required long Every { get; init; }

    /// <summary>Shape of the ramp.</summary>
    /// <value>cubic</value>
    public SparsityRamp Ramp { get; init; }

    /// <summary>The schedule of a run.</summary>
    /// <param name="steps">Optimizer steps, at least 1.</param>
    /// <param name="final">Share that is pruned at the end.</param>
    /// <param name="from">Share of the steps after which the ramp begins.</param>
    /// <param name="until">Share of the steps after which it ends; the last step has the final share in any case.</param>
    /// <param name="ramp">Shape of the ramp.</param>
    /// <param name="every">Steps between prunings; null for a hundredth of the ramp.</param>
    public static SparsitySchedule Of(long steps, double final, double from, double until, SparsityRamp ramp = SparsityRamp.Cubic, long? every = null)
    {
        var last = Math.Min(StepAt(until), steps - 1);
        var first = Math.Min(StepAt(from), last);
        return new SparsitySchedule
        {
            Final = final, Steps = steps, First = first, Last = last, Ramp = ramp, Every = every ?? Math.Max(1, (last - first) / Prunings),
        };

        long StepAt(double share) => (long)Math.Round(share * steps, MidpointRounding.AwayFromZero);
    }

    /// <summary>Share that is pruned in the forward pass of a step.</summary>
    public double At(long step)
    {
        if (step < First)
            return 0;
        if (step >= Last)
            return Final;
        var left = 1 - (step - First) / Every * Every / (double)(Last - First);
        return Final * (1 - (Ramp == SparsityRamp.Cubic ? left * left * left : left));
    }

    /// <summary>Whether the share of a step is another than that of the step before.</summary>
    public bool IsDue(long step) => step == Last || step > First && step < Last && (step - First) % Every == 0;

    /// <summary>
    /// The mean over all steps of the weights that are not pruned: what takes the place of the number of weights in the scaling law of sparse
    /// pre-training, L = E + A / N^a + B / D^b (arXiv 2501.12486). A dense model of that size is expected to have the same loss for the same
    /// arithmetic.
    /// </summary>
    /// <param name="total">Weights of the model.</param>
    /// <param name="prunable">Those among which the share is taken.</param>
    public double AverageParameters(double total, double prunable)
    {
        var pruned = Final * (Steps - Last); // share times steps
        for (long step = First, next; step < Last; step = next)
        {
            next = Math.Min(step + Every, Last);
            pruned += At(step) * (next - step);
        }
        return total - prunable * pruned / Steps;
    }
}
