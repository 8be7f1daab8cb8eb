namespace Espalier.Datasets.Sampling;

/// <summary>
/// Which groups of samples are trained on when (SeTa, "Scale Efficient Training for Large Datasets", CVPR 2025). Samples are grouped by their
/// loss, the groups go from easy to hard. In round 0 all are trained on, then a window of w = round(n scale) of the n groups, which begins at
/// group (round mod (n - w + 1)), and from round delta times the rounds on all again.
/// </summary>
/// <param name="Groups">Groups n.</param>
/// <param name="Scale">Share of the groups in a window.</param>
/// <param name="Delta">Share of the rounds after which all groups are trained on.</param>
/// <param name="Rounds">Equal parts of a run.</param>
public sealed record SetaRule(int Groups, double Scale, double Delta, int Rounds)
{
    /// <summary>The groups of a round: the first, and how many.</summary>
    /// <param name="round">From 0.</param>
    /// <param name="groups">Groups that there are; fewer than asked for where samples are few.</param>
    public (int First, int Count) WindowOf(int round, int groups)
    {
        if (round == 0 || round >= Delta * Rounds)
            return (0, groups);
        var width = Math.Clamp((int)Math.Round(groups * Scale), 1, groups);
        return (round % (groups - width + 1), width);
    }
}
