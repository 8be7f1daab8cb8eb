namespace Espalier.Study;

/// <summary>
/// What a run over several seeds says about growing. Models of the small and of the grown size trained from scratch are the
/// controls; each grown model is compared with the controls of its seed and its token budget. Gap closure is
/// (small - grown) / (small - large) in held-out loss (Expert Upcycling, arXiv 2604.19835).
/// </summary>
public sealed class GrowthStudy
{
    /// <summary>Series of the small control.</summary>
    public const string SmallName = "small from scratch";

    /// <summary>Series of the large control.</summary>
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

    /// <summary>Number of seeds.</summary>
    public int Seeds => Arms.Max(a => a.Models.Count);

    /// <summary>The study that a run's models make up, or null when they do not: it takes two seeds, both controls and a grown arm.</summary>
    public static GrowthStudy? Find(IReadOnlyList<StudyModel> models)
    {
        var arms = models.GroupBy(m => m.Arm).Select(g => new StudyArm(g.Key, [.. g.OrderBy(m => m.Seed, StringComparer.Ordinal)])).ToList();
        if (arms.Count == 0 || arms.All(a => a.First.Grown is not null) || arms.Max(a => a.Models.Count) < 2)
            return null;
        var study = new GrowthStudy(arms, []);
        var isComplete = study.Small.Count > 0 && study.Large.Count > 0 && study.Grown.Count > 0;
        return isComplete ? new GrowthStudy(arms, [.. arms.Select(study.Row)]) : null;
    }

    /// <summary>Loss of the small control less that of the large one after the same tokens, nats per token: what there is to close.</summary>
    public Estimate? Gap(double tokens) =>
        Control(Small, tokens) is { } small && Control(Large, tokens) is { } large ? LossDifference(small, large) : null;

    private static StudyArm SmallestOf(IReadOnlyList<StudyArm> arms) => arms.Where(a => a.First.Grown is null).MinBy(a => a.First.Parameters)!;

    private StudyRow Row(StudyArm arm)
    {
        var gap = Gap(arm.First.Tokens);
        if (arm.First.Grown is null)
            return new StudyRow(arm, gap, null, null, null, null, null);
        var (small, large, first) = (Control(Small, arm.First.Tokens), Control(Large, arm.First.Tokens), Reference(arm));
        return new StudyRow(
            arm, gap, small is null || large is null ? null : Closure(arm, small, large),
            small is null ? null : LossDifference(arm, small),
            first is null ? null : LossDifference(arm, first),
            large is null ? null : Estimate.Mean([.. Pairs(arm, large).Select(p => 1 - p.A.Seconds / p.B.Seconds)]),
            SavedSeconds(arm));
    }

    private static Estimate LossDifference(StudyArm a, StudyArm b) => Estimate.Mean([.. Pairs(a, b).Select(p => p.A.Loss - p.B.Loss)]);

    private static Estimate? Closure(StudyArm arm, StudyArm small, StudyArm large)
    {
        var triples =
            (from m in arm.Models
             from s in small.Models
             from l in large.Models
             where m.Seed == s.Seed && m.Seed == l.Seed
             select (Closed: s.Loss - m.Loss, Gap: s.Loss - l.Loss)).ToList();
        return triples.Count == 0 ? null : Estimate.Ratio([.. triples.Select(t => t.Closed)], [.. triples.Select(t => t.Gap)]);
    }

    // The first grown arm of the pipeline with the same transition and budget: what the others are alternatives to.
    private StudyArm? Reference(StudyArm arm)
    {
        var first = Grown.FirstOrDefault(a => IsSame(a.First.Tokens, arm.First.Tokens) && IsSame(a.First.GrownAt, arm.First.GrownAt));
        return first == arm ? null : first;
    }

    // Time that the large model from scratch takes to reach the same loss, interpolated linearly between its budgets, less the
    // time that this arm took. Null above the range of losses that were measured, a lower bound below it.
    private (double Seconds, bool IsAtLeast)? SavedSeconds(StudyArm arm)
    {
        var points = Large.Select(a => (a.Seconds, a.Loss)).ToList();
        if (arm.Loss < points[^1].Loss)
            return (points[^1].Seconds - arm.Seconds, true);
        for (var i = points.Count - 1; i > 0; i--)
        {
            var (before, after) = (points[i - 1], points[i]);
            if (arm.Loss > before.Loss || arm.Loss < after.Loss)
                continue;
            var share = (arm.Loss - after.Loss) / (before.Loss - after.Loss);
            return (after.Seconds + (before.Seconds - after.Seconds) * share - arm.Seconds, false);
        }
        return null;
    }

    private static StudyArm? Control(IReadOnlyList<StudyArm> controls, double tokens) => controls.FirstOrDefault(a => IsSame(a.First.Tokens, tokens));

    // Budgets are rounded up to whole steps, part by part.
    private static bool IsSame(double? a, double? b) => a is { } x && b is { } y && Math.Abs(x - y) <= Rounding * Math.Max(x, y);

    private static IEnumerable<(StudyModel A, StudyModel B)> Pairs(StudyArm a, StudyArm b) =>
        from x in a.Models
        from y in b.Models
        where x.Seed == y.Seed
        select (x, y);
}

/// <summary>One line of the study's table.</summary>
/// <param name="Arm">The arm.</param>
/// <param name="Gap">Small minus large at its tokens.</param>
/// <param name="Closure">Share of that gap that it closes; null for controls.</param>
/// <param name="AgainstSmall">Its loss less that of the small control after the same tokens; null for controls.</param>
/// <param name="AgainstFirst">Its loss less that of the first grown arm with the same transition and budget; null for that one.</param>
/// <param name="SavedShare">Share of the large control's seconds at the same tokens that it saves.</param>
/// <param name="SavedSeconds">Seconds saved at equal loss; a lower bound when no large control reached that loss.</param>
public sealed record StudyRow(
    StudyArm Arm, Estimate? Gap, Estimate? Closure, Estimate? AgainstSmall, Estimate? AgainstFirst, Estimate? SavedShare,
    (double Seconds, bool IsAtLeast)? SavedSeconds);
