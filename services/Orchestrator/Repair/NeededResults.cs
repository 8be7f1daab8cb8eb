using Espalier.Contracts;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Repair;

/// <summary>Which lost results of a run under way have to be made again: not those that nothing reads any more.</summary>
internal static class NeededResults
{
    /// <summary>The steps whose results are needed: by a step that has not ended or is done again itself, as a last result, or elsewhere.</summary>
    /// <param name="steps">Every step of the run with its state.</param>
    /// <param name="needs">Who needs whom.</param>
    /// <param name="lost">Steps that ended well, and whose results are gone.</param>
    /// <param name="wanted">Those of them whose results are wanted outside of the run, as versions are.</param>
    public static IReadOnlySet<string> Of(
        IReadOnlyDictionary<string, StepState> steps, IReadOnlyCollection<(string Step, string Needs)> needs, IReadOnlySet<string> lost,
        IReadOnlySet<string> wanted)
    {
        var readers = needs.ToLookup(n => n.Needs, n => n.Step);
        var needed = new HashSet<string>(StringComparer.Ordinal);
        for (var grown = true; grown;)
        {
            grown = false;
            foreach (var step in lost.Where(step => !needed.Contains(step)))
            {
                if (wanted.Contains(step) || !readers[step].Any() || readers[step].Any(reader => needed.Contains(reader) || !steps[reader].IsEnded()))
                    grown |= needed.Add(step);
            }
        }
        return needed;
    }
}
