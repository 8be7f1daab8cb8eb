namespace Espalier.Modeling;

/// <summary>How rotary angles are stretched for longer contexts.</summary>
public enum RopeScalingKind
{
    /// <summary>All frequencies divided by the factor.</summary>
    Linear,

    /// <summary>
    /// A larger base once a sequence is longer than <c>max_position_embeddings</c> C: theta (factor S / C - (factor - 1))^(D / (D - 2)) for
    /// S tokens. Up to C nothing changes; the model can be run on up to factor C.
    /// </summary>
    Dynamic,

    /// <summary>Low frequencies divided by the factor, high ones kept, a smooth step between (Llama 3).</summary>
    Llama3,

    /// <summary>As <see cref="Llama3"/> with a ramp over dimensions, and a scale on the angles' cosine and sine (arXiv 2309.00071).</summary>
    Yarn,
}

/// <summary>Stretched rotary angles, as <c>rope_scaling</c> or <c>rope_parameters</c> state them.</summary>
public sealed record RopeScaling
{
    private const int MostPositions = 1 << 26;

    /// <summary>Which rule.</summary>
    public required RopeScalingKind Kind { get; init; }

    /// <summary>How many times longer the context gets.</summary>
    public required double Factor { get; init; }

    /// <summary>Context length before the stretch, C.</summary>
    public required int OriginalPositions { get; init; }

    /// <summary>llama3: wavelengths above C / this are divided by the factor.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>llama3: wavelengths below C / this stay.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>yarn: turns over C above which a dimension stays.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>yarn: turns over C below which a dimension is divided by the factor.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>yarn: whether the ramp's ends are whole dimensions.</summary>
    public bool Truncates { get; init; } = true;

    /// <summary>yarn: scale of cosine and sine, when stated.</summary>
    public double? StatedAttentionFactor { get; init; }

    /// <summary>yarn: slope of the scale of cosine and sine.</summary>
    public double Scale { get; init; }

    /// <summary>yarn: slope of the scale of all dimensions.</summary>
    public double ScaleAllDimensions { get; init; }

    /// <summary>
    /// Longest sequence that the angles are stretched for. Linear and dynamic scaling stretch <paramref name="maxPositions"/>
    /// (<c>max_position_embeddings</c>), yarn its own context before the stretch; models with llama3 scaling state the stretched length.
    /// </summary>
    public int Reach(int maxPositions) => Kind switch
    {
        RopeScalingKind.Linear or RopeScalingKind.Dynamic => Stretched(maxPositions),
        RopeScalingKind.Yarn => Stretched(OriginalPositions),
        _ => maxPositions,
    };

    /// <summary>What cosine and sine are multiplied by.</summary>
    public double AttentionFactor => Kind != RopeScalingKind.Yarn ? 1
        : StatedAttentionFactor ?? (Scale != 0 && ScaleAllDimensions != 0 ? Magnitude(Scale) / Magnitude(ScaleAllDimensions) : Magnitude(1));

    /// <summary>What latent attention multiplies its softmax scale by.</summary>
    public double LatentSoftmaxFactor => Kind == RopeScalingKind.Yarn && ScaleAllDimensions != 0 ? Math.Pow(Magnitude(ScaleAllDimensions), 2) : 1;

    /// <summary>Frequencies of the <paramref name="width"/> / 2 pairs for base <paramref name="theta"/>, for a sequence of <paramref name="length"/>.</summary>
    public double[] Frequencies(int width, double theta, long length)
    {
        if (Kind == RopeScalingKind.Dynamic && length > OriginalPositions)
            theta *= Math.Pow(Factor * length / OriginalPositions - (Factor - 1), width / (width - 2.0));
        var frequencies = Plain(width, theta);
        return Kind switch
        {
            RopeScalingKind.Linear => [.. frequencies.Select(f => f / Factor)],
            RopeScalingKind.Llama3 => [.. frequencies.Select(Smooth)],
            RopeScalingKind.Yarn => Ramp(frequencies, width, theta),
            _ => frequencies,
        };
    }

    /// <summary>theta^(-2j / width) for j from 0.</summary>
    public static double[] Plain(int width, double theta) => [.. Enumerable.Range(0, width / 2).Select(j => Math.Pow(theta, -2.0 * j / width))];

    private int Stretched(int positions) => (int)Math.Min(Math.Floor(Factor * positions), MostPositions);

    private double Magnitude(double slope) => Factor <= 1 ? 1 : 0.1 * slope * Math.Log(Factor) + 1;

    private double Smooth(double frequency)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < OriginalPositions / HighFrequencyFactor)
            return frequency;
        if (wavelength > OriginalPositions / LowFrequencyFactor)
            return frequency / Factor;
        var share = (OriginalPositions / wavelength - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        return (1 - share) * frequency / Factor + share * frequency;
    }

    private double[] Ramp(double[] frequencies, int width, double theta)
    {
        var (low, high) = (Dimension(BetaFast), Dimension(BetaSlow));
        if (Truncates)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, width - 1));
        if (low == high)
            high += 0.001;
        return [.. frequencies.Select((frequency, j) =>
        {
            var divided = Math.Clamp((j - low) / (high - low), 0, 1);
            return divided * frequency / Factor + (1 - divided) * frequency;
        })];

        double Dimension(double turns) => width * Math.Log(OriginalPositions / (2 * Math.PI * turns)) / (2 * Math.Log(theta));
    }
}
