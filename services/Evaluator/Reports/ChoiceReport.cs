using Espalier.Evaluator.Tasks;
using Espalier.Evaluator.Texts;

namespace Espalier.Evaluator.Reports;

/// <summary>Multiple choice on one set of items. A choice wins by the largest score; the first of equals.</summary>
public sealed record ChoiceReport
{
    /// <summary>Number of items.</summary>
    public required int Items { get; init; }

    /// <summary>Share of items whose right choice has the largest likelihood.</summary>
    public required double Accuracy { get; init; }

    /// <summary>sqrt(p (1 - p) / (n - 1)); null for a single item.</summary>
    public double? StandardError { get; init; }

    /// <summary>The same by likelihood per character (code point) of the choice, the space before it left out.</summary>
    public required double AccuracyByLength { get; init; }

    /// <summary>Standard error of <see cref="AccuracyByLength"/>.</summary>
    public double? StandardErrorByLength { get; init; }

    /// <summary>Mean log-likelihood of the right choice, nats.</summary>
    public required double GoldLogLikelihood { get; init; }

    /// <summary>Mean lead of the right choice over the best wrong one, nats; shows damage that accuracy hides.</summary>
    public required double GoldMargin { get; init; }

    /// <summary>Accuracy of guessing.</summary>
    public required double Chance { get; init; }

    /// <summary>Accuracy of always taking the longest choice.</summary>
    public required double LongestChoice { get; init; }

    /// <summary>Items whose context did not fit before one of their choices: it was cut on the left.</summary>
    public required int CutItems { get; init; }

    /// <summary>One report per set, and one over all sets when there are several.</summary>
    internal static IReadOnlyDictionary<string, ChoiceReport> BySet(IReadOnlyList<ChoiceItem> items, ChoiceScores scores)
    {
        var scored = items.Zip(scores.Likelihoods, scores.IsCut).ToList();
        var reports = scored.GroupBy(s => s.First.Set).ToDictionary(set => set.Key, set => Of([.. set]));
        if (reports.Count > 1)
            reports["all"] = Of(scored);
        return reports;
    }

    /// <summary>Whether each item's right choice has the largest likelihood.</summary>
    internal static bool[] Right(IReadOnlyList<ChoiceItem> items, ChoiceScores scores) =>
        [.. items.Zip(scores.Likelihoods, (item, ll) => Best(ll) == item.Answer)];

    private static ChoiceReport Of(IReadOnlyList<(ChoiceItem Item, double[] Likelihoods, bool IsCut)> scored)
    {
        var accuracy = scored.Average(s => Best(s.Likelihoods) == s.Item.Answer ? 1.0 : 0);
        var byLength = scored.Average(s => Best(PerCharacter(s.Item, s.Likelihoods)) == s.Item.Answer ? 1.0 : 0);
        return new ChoiceReport
        {
            Items = scored.Count,
            Accuracy = accuracy,
            StandardError = StandardErrorOf(accuracy, scored.Count),
            AccuracyByLength = byLength,
            StandardErrorByLength = StandardErrorOf(byLength, scored.Count),
            GoldLogLikelihood = scored.Average(s => s.Likelihoods[s.Item.Answer]),
            GoldMargin = scored.Average(s => s.Likelihoods[s.Item.Answer] - s.Likelihoods.Where((_, c) => c != s.Item.Answer).Max()),
            Chance = scored.Average(s => 1.0 / s.Item.Choices.Count),
            CutItems = scored.Count(s => s.IsCut),
            LongestChoice = scored.Average(s => s.Item.Longest == s.Item.Answer ? 1.0 : 0),
        };
    }

    private static double[] PerCharacter(ChoiceItem item, double[] likelihoods) =>
        [.. likelihoods.Select((ll, choice) => ll / item.LengthOf(choice))];

    private static int Best(double[] scores) => Array.IndexOf(scores, scores.Max());

    private static double? StandardErrorOf(double share, int items) => items > 1 ? Math.Sqrt(share * (1 - share) / (items - 1)) : null;
}
