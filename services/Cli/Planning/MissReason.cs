using Espalier.Pipelines.Keys;

namespace Espalier.Cli.Planning;

/// <summary>Why a step's result is not in the store, in words.</summary>
internal static class MissReason
{
    private const int Shown = 3;
    private const int LongestValue = 40;

    /// <summary>Names what changed since the nearest known work.</summary>
    /// <param name="known">The nearest known work and how it differs; null when there is none.</param>
    /// <param name="key">The planned work.</param>
    public static string Of((Espalier.Stages.Worker.StepReceipt Receipt, IReadOnlyList<KeyDifference> Differences)? known, StepKey key)
    {
        if (known is not { } nearest)
            return "never ran";
        if (nearest.Differences.Count == 0)
            return "its result is no longer whole in the store";
        var words = nearest.Differences.Select(d => Describe(d, key)).Distinct().ToList();
        return string.Join("; ", words.Take(Shown)) + (words.Count > Shown ? $"; and {words.Count - Shown} more" : "");
    }

    private static string Describe(KeyDifference difference, StepKey key)
    {
        if (difference.Path == "stage-version")
            return $"the code of stage {key.Kind} changed";
        if (difference.Path == "inputs")
            return $"{difference.Before} inputs before, {difference.Now} now";
        if (difference.Path.StartsWith("inputs[", StringComparison.Ordinal))
            return $"input '{key.Inputs[int.Parse(difference.Path.AsSpan(7, difference.Path.IndexOf(']', StringComparison.Ordinal) - 7), System.Globalization.CultureInfo.InvariantCulture)].As}' changed";
        return $"{difference.Path}: {Short(difference.Before)} before, {Short(difference.Now)} now";
    }

    private static string Short(string value) => value.Length <= LongestValue ? value : value[..LongestValue] + "...";
}
