namespace Espalier.Modeling.Training;

/// <summary>Shape of the learning rate over a run.</summary>
public enum ScheduleKind
{
    /// <summary>Peak after the warm-up.</summary>
    Constant,

    /// <summary>Half a cosine from peak to the final rate.</summary>
    Cosine,

    /// <summary>A line from peak to the final rate.</summary>
    Linear,

    /// <summary>Peak, then linear decay over the last part (warm-up, stable, decay).</summary>
    Wsd,

    /// <summary>Peak, then decay by 1 - sqrt(u) over the last part.</summary>
    WsdSqrt,
}

/// <summary>
/// Learning rate by optimizer step s = 0 .. Steps-1. Warm-up, s &lt; W: first + (peak - first)(s+1)/W. Then, by kind, with
/// u = (s - start)/(Steps - start): cosine (start = W): final + (peak - final)(1 + cos(pi u))/2; linear (start = W):
/// peak + (final - peak) u; WSD: peak until the last <see cref="DecayShare"/>, there as linear, or with 1 - sqrt(u) in place of 1 - u.
/// A function of s alone, so a resumed run never warms up again.
/// </summary>
public sealed record LearningRateSchedule
{
    /// <summary>Shape.</summary>
    public required ScheduleKind Kind { get; init; }

    /// <summary>Largest rate.</summary>
    public required double Peak { get; init; }

    /// <summary>Optimizer steps of the whole run.</summary>
    public required long Steps { get; init; }

    /// <summary>Steps of linear warm-up.</summary>
    /// <value>0</value>
    public long WarmUp { get; init; }

    /// <summary>Rate that the warm-up starts from, as a share of the peak.</summary>
    /// <value>0</value>
    public double StartShare { get; init; }

    /// <summary>Rate at the end, as a share of the peak: 0.1 for cosine, 0 for linear and WSD unless set.</summary>
    public double? FinalShare { get; init; }

    /// <summary>Share of the run that WSD decays over.</summary>
    /// <value>0.1</value>
    public double DecayShare { get; init; } = 0.1;

    /// <summary>First step of WSD's decay.</summary>
    public long DecayStart => Math.Max(WarmUp, Steps - (long)Math.Ceiling(Steps * DecayShare));

    /// <summary>The rate of step <paramref name="step"/>.</summary>
    public double At(long step)
    {
        if (step < WarmUp)
            return Peak * StartShare + Peak * (1 - StartShare) * (step + 1) / WarmUp;
        var final = Peak * (FinalShare ?? (Kind == ScheduleKind.Cosine ? 0.1 : 0));
        return Kind switch
        {
            ScheduleKind.Cosine => final + (Peak - final) * (1 + Math.Cos(Math.PI * Share(step, WarmUp))) / 2,
            ScheduleKind.Linear => final + (Peak - final) * (1 - Share(step, WarmUp)),
            ScheduleKind.Wsd when step >= DecayStart => final + (Peak - final) * (1 - Share(step, DecayStart)),
            ScheduleKind.WsdSqrt when step >= DecayStart => final + (Peak - final) * (1 - Math.Sqrt(Share(step, DecayStart))),
            _ => Peak,
        };
    }

    private double Share(long step, long start) => Steps <= start ? 1 : Math.Clamp((double)(step - start) / (Steps - start), 0, 1);
}
