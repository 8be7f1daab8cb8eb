namespace Espalier.Cli.Reports.Growth;

/// <summary>
/// What a run with several seeds says about growing: models of the small size and of the grown size from scratch are the
/// controls, and each grown model is compared with those of its seed and its number of tokens. Gap closure is
/// (small - grown) / (small - large) in held-out loss (Expert Upcycling, arXiv 2604.19835).
/// </summary>
internal sealed class GrowthStudy
{
    public const string SmallName = "small from scratch";
    public const string LargeName = "large from scratch";

    private const double Rounding = 0.01;

    private GrowthStudy(IReadOnlyList<StudyArm> arms, IReadOnlyList<StudyRow> rows) => (Arms, Rows) = (arms, rows);

    /// <summary>All arms, in pipeline order.</summary>
    public IReadOnlyList<StudyArm> Arms { get; }

    /// <summary>One row per arm, controls first.</summary>
    public IReadOnlyList<StudyRow> Rows { get; }

    /// <summary>Arms of the small size that were never grown.</summary>
    public IReadOnlyList<StudyArm> Small => [.. Arms.Where(a => a.Series(Smallest) == SmallName).OrderBy(a => a.First.Tokens)];

    /// <summary>Arms of the grown size from scratch.</summary>
    public IReadOnlyList<StudyArm> Large => [.. Arms.Where(a => a.Series(Smallest) == LargeName).OrderBy(a => a.First.Tokens)];

    /// <summary>Arms that were grown.</summary>
    public IReadOnlyList<StudyArm> Grown => [.. Arms.Where(a => a.First.Grown is not null)];

    /// <summary>The smallest model that was never grown.</summary>
    public StudyArm Smallest => SmallestOf(Arms);

    /// <summary>Seeds.</summary>
    public int Seeds => Arms.Max(a => a.Models.Count);

    /// <summary>Reads a study out of a run's models, or nothing when the run is none: it takes two seeds and both controls.</summary>
    public static GrowthStudy? Find(IReadOnlyList<StudyModel> models)
    {
        var arms = models.GroupBy(m => m.Arm).Select(g => new StudyArm(g.Key, [.. g.OrderBy(m => m.Seed, StringComparer.Ordinal)])).ToList();
        if (arms.Count == 0 || arms.All(a => a.First.Grown is not null) || arms.Max(a => a.Models.Count) < 2)
            return null;
        var study = new GrowthStudy(arms, []);
        return study.Small.Count > 0 && study.Large.Count > 0 && study.Grown.Count > 0 ? new GrowthStudy(arms, [.. arms.Select(study.Row)]) : null;
    }

    /// <summary>Small minus large at the same tokens: what there is to close.</summary>
    public Estimate? Gap(double tokens) =>
        Control(Small, tokens) is { } small && Control(Large, tokens) is { } large ? Estimate.Mean([.. Pairs(small, large).Select(p => p.A.Loss - p.B.Loss)]) : null;

    private static StudyArm SmallestOf(IReadOnlyList<StudyArm> arms) => arms.Where(a => a.First.Grown is null).MinBy(a => a.First.Parameters)!;

    private StudyRow Row(StudyArm arm) => new(
        arm, Gap(arm.First.Tokens),
        arm.First.Grown is null ? null : Closure(arm),
        arm.First.Grown is null ? null : Control(Small, arm.First.Tokens) is { } small ? Estimate.Mean([.. Pairs(arm, small).Select(p => p.A.Loss - p.B.Loss)]) : null,
        arm.First.Grown is null ? null : Reference(arm) is { } reference ? Estimate.Mean([.. Pairs(arm, reference).Select(p => p.A.Loss - p.B.Loss)]) : null,
        arm.First.Grown is null ? null : Control(Large, arm.First.Tokens) is { } large ? Estimate.Mean([.. Pairs(arm, large).Select(p => 1 - p.A.Seconds / p.B.Seconds)]) : null,
        arm.First.Grown is null ? null : SavedSeconds(arm));

    private Estimate? Closure(StudyArm arm)
    {
        if (Control(Small, arm.First.Tokens) is not { } small || Control(Large, arm.First.Tokens) is not { } large)
            return null;
        var triples = (from m in arm.Models from s in small.Models from l in large.Models where m.Seed == s.Seed && m.Seed == l.Seed select (s.Loss - m.Loss, s.Loss - l.Loss)).ToList();
        return triples.Count == 0 ? null : Estimate.Ratio([.. triples.Select(t => t.Item1)], [.. triples.Select(t => t.Item2)]);
    }

    // The first grown arm of the pipeline with the same transition and budget: what the others are alternatives to.
    private StudyArm? Reference(StudyArm arm) =>
        Grown.FirstOrDefault(a => IsSame(a.First.Tokens, arm.First.Tokens) && IsSame(a.First.GrownAt, arm.First.GrownAt)) is { } first && first != arm ? first : null;

    // Time that the large model from scratch takes to the same loss, by linear interpolation between its budgets, less the
    // time that this arm took. Nothing outside the range of losses that it was measured at.
    private (double Seconds, bool IsAtLeast)? SavedSeconds(StudyArm arm)
    {
        var points = Large.Select(a => (a.Seconds, a.Loss)).ToList();
        if (arm.Loss < points[^1].Loss)
            return (points[^1].Seconds - arm.Seconds, true);
        for (var i = points.Count - 1; i > 0; i--)
            if (arm.Loss <= points[i - 1].Loss && arm.Loss >= points[i].Loss)
                return (points[i].Seconds + (points[i - 1].Seconds - points[i].Seconds) * (arm.Loss - points[i].Loss) / (points[i - 1].Loss - points[i].Loss) - arm.Seconds, false);
        return null;
    }

    private static StudyArm? Control(IReadOnlyList<StudyArm> controls, double tokens) => controls.FirstOrDefault(a => IsSame(a.First.Tokens, tokens));

    // Budgets are rounded up to whole steps, part by part.
    private static bool IsSame(double? a, double? b) => a is { } x && b is { } y && Math.Abs(x - y) <= Rounding * Math.Max(x, y);

    private static IEnumerable<(StudyModel A, StudyModel B)> Pairs(StudyArm a, StudyArm b) => from x in a.Models from y in b.Models where x.Seed == y.Seed select (x, y);
}

/// <summary>One line of the study's table.</summary>
/// <param name="Arm">The arm.</param>
/// <param name="Gap">Small minus large at its tokens.</param>
/// <param name="Closure">Share of that gap that it closes; null for controls.</param>
/// <param name="AgainstSmall">Its loss less that of the small one after the same tokens; null for controls.</param>
/// <param name="AgainstFirst">Its loss less that of the first grown arm with the same transition and budget; null for that one.</param>
/// <param name="SavedShare">Share of the large control's seconds at the same tokens that it saves.</param>
/// <param name="SavedSeconds">Seconds saved at equal loss; a lower bound when no large control reached that loss.</param>
internal sealed record StudyRow(StudyArm Arm, Estimate? Gap, Estimate? Closure, Estimate? AgainstSmall, Estimate? AgainstFirst, Estimate? SavedShare, (double Seconds, bool IsAtLeast)? SavedSeconds);
