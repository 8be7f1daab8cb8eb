namespace Espalier.CptTrainer.Training;

/// <summary>
/// What repeating text is worth (arXiv 2305.16264): up to four readings are nearly as good as new text; a further one adds less and
/// less. U unique tokens read 1 + R times count as U + U r (1 - exp(-R / r)), r = 15.4.
/// </summary>
public static class Repetition
{
    /// <summary>Readings up to which text is nearly as good as new.</summary>
    public const double NearlyFree = 4;

    private const double Halfway = 15.4;

    /// <summary>How many readings of new text some readings of the same text are worth.</summary>
    /// <param name="readings">How often it is read, from 0.</param>
    public static double Worth(double readings) => readings <= 1 ? readings : 1 + Halfway * (1 - Math.Exp(-(readings - 1) / Halfway));

    /// <summary>A sentence for every domain that is read more often than that.</summary>
    public static IEnumerable<string> WarningsOf(IReadOnlyDictionary<string, double> readings) =>
        from domain in readings
        where domain.Value > NearlyFree
        orderby domain.Key
        select FormattableString.Invariant(
            $"The text of '{domain.Key}' is read {domain.Value:0.#} times, which is worth {Worth(domain.Value):0.#} readings of new text. ")
            + "Past 4 readings, more text or fewer tokens would serve better.";
}
