using System.Globalization;
using Espalier.Pipelines.Keys;

namespace Espalier.Pipelines.Resolution;

/// <summary>Why a step's result is not in the store, in words.</summary>
internal static class MissReason
{
    private const int Shown = 3;
    private const int LongestValue = 40;

    /// <summary>Names what changed since the nearest known work.</summary>
    /// <param name="nearest">That work and how it differs; null when there is none.</param>
    /// <param name="key">The planned work.</param>
    /// <param name="unmade">Steps that have yet to make an input.</param>
    public static string Of((PastStep Step, IReadOnlyList<KeyDifference> Differences)? nearest, StepKey key, IReadOnlyList<string> unmade)
    {
        if (nearest is not { } known)
            return "never ran";
        if (unmade.Count == 0)
            return Changes(known.Differences, key);
        var waits = $"reads what {string.Join(", ", unmade.Distinct().Select(u => $"'{u}'"))} will make";
        var own = known.Differences.Where(d => !d.Path.StartsWith("inputs", StringComparison.Ordinal)).ToList();
        return own.Count == 0 ? waits : $"{waits}; {Changes(own, key)}";
    }

    private static string Changes(IReadOnlyList<KeyDifference> differences, StepKey key)
    {
        if (differences.Count == 0)
            return "its result is no longer whole in the store";
        var words = differences.Select(d => Describe(d, key)).Distinct().ToList();
        return string.Join("; ", words.Take(Shown)) + (words.Count > Shown ? $"; and {words.Count - Shown} more" : "");
    }

    private static string Describe(KeyDifference difference, StepKey key)
    {
        const string Input = "inputs[";
        var path = difference.Path;
        if (path == "stage-version")
            return $"the code of stage {key.Kind} changed";
        if (path == "inputs")
            return $"{difference.Before} inputs before, {difference.Now} now";
        if (path.StartsWith(Input, StringComparison.Ordinal))
        {
            var index = int.Parse(path.AsSpan(Input.Length, path.IndexOf(']', StringComparison.Ordinal) - Input.Length), CultureInfo.InvariantCulture);
            return $"input '{key.Inputs[index].As}' changed";
        }
        return $"{path}: {Short(difference.Before)} before, {Short(difference.Now)} now";
    }

    private static string Short(string value) => value.Length <= LongestValue ? value : value[..LongestValue] + "...";
}
