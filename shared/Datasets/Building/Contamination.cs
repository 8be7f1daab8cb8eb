using Espalier.Contracts;

namespace Espalier.Datasets.Building;

/// <summary>
/// Whether training text has words in a row in common with evaluation items: 13, as for GPT-3 (Brown et al., 2020, appendix C). Case and
/// punctuation do not count.
/// </summary>
internal sealed class Contamination
{
    /// <summary>Words in a row.</summary>
    public const int Words = 13;

    private const int MostRuns = 20_000_000; // 320 MB
    private const ulong Base = 0x9E3779B97F4A7C15;

    private static readonly ulong Leading = Enumerable.Range(0, Words - 1).Aggregate(1UL, (product, _) => unchecked(product * Base));

    private readonly HashSet<ulong> _runs = [];
    private readonly List<ulong> _words = [];

    /// <summary>Items that were long enough to be looked for.</summary>
    public int Items { get; private set; }

    /// <summary>Items of fewer than <see cref="Words"/> words, which cannot be looked for.</summary>
    public int ShortItems { get; private set; }

    /// <summary>Adds an evaluation item.</summary>
    /// <exception cref="UserInputException">There is too much evaluation text.</exception>
    public void AddItem(string text)
    {
        WordHashes.Read(text, _words);
        if (_words.Count < Words)
        {
            ShortItems++;
            return;
        }
        Items++;
        foreach (var run in RunsOf(_words))
            _runs.Add(run);
        if (_runs.Count > MostRuns)
            throw new UserInputException(
                $"The evaluation text in 'against' has more than {MostRuns / 1_000_000} million different runs of {Words} words: name a smaller dataset.");
    }

    /// <summary>Whether a text has a run in common with an item.</summary>
    /// <param name="text">Training text.</param>
    /// <param name="words">A list to work with.</param>
    public bool IsIn(string text, List<ulong> words)
    {
        WordHashes.Read(text, words);
        return words.Count >= Words && RunsOf(words).Any(_runs.Contains);
    }

    // A polynomial of the words' hashes modulo 2^64, moved on by one word at a time.
    private static IEnumerable<ulong> RunsOf(List<ulong> words)
    {
        var hash = 0UL;
        for (var i = 0; i < words.Count; i++)
        {
            if (i >= Words)
                hash = unchecked(hash - words[i - Words] * Leading);
            hash = unchecked(hash * Base + words[i]);
            if (i >= Words - 1)
                yield return hash;
        }
    }
}
