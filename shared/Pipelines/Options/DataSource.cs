using System.Globalization;
using System.Text.Json.Serialization;

namespace Espalier.Pipelines.Options;

/// <summary>One source of a dataset that is given by options rather than by a text.</summary>
public sealed record DataSource
{
    /// <summary>Where the text comes from.</summary>
    [Option("Where the text comes from: " + ArtifactForms.SourceForms + ".", Required = true)]
    public string From { get; init; } = "";

    /// <summary>Share of training.</summary>
    [Option("Share of training that is drawn from it. Every source has one, and they sum to 1, or none has: then by size.", Min = 0, Max = 1)]
    public double? Weight { get; init; }

    /// <summary>Field of a record that holds the text.</summary>
    [Option("Field of a record that holds the text, for jsonl and parquet; 'text' when left out.")]
    public string? Field { get; init; }

    /// <summary>Name of its domain.</summary>
    [Option("Name of its domain in mixtures and losses; left out: the name of the file or folder, or a corpus's own names.",
        Pattern = "[a-z0-9][a-z0-9._-]{0,62}", PatternMeaning = "a name of small letters, digits, dots and dashes")]
    public string? Name { get; init; }

    /// <summary>Digest of the content behind a path.</summary>
    /// <remarks>Of a registered dataset, the root of its artifact.</remarks>
    [Option("Digest of the content behind a path, so that changed text is new work; the planner fills it in.")]
    public string? Fingerprint { get; init; }

    /// <summary>Whether it is a dataset that the registry knows by name.</summary>
    [JsonIgnore]
    public bool IsRegistered => From.StartsWith(ArtifactForms.RegisteredDataset, StringComparison.Ordinal);

    /// <summary>Whether it is text of the user's own, neither a corpus nor a registered dataset.</summary>
    internal bool IsOwn => ArtifactForms.Own.Any(form => From.StartsWith(form, StringComparison.Ordinal));

    /// <summary>The name of a file or folder as a domain may have it: <c>my-notes</c> for <c>jsonl:texts/My notes.jsonl.gz</c>.</summary>
    internal static string DefaultName(string from)
    {
        var file = from[(from.IndexOf(':', StringComparison.Ordinal) + 1)..].TrimEnd('/').Split('/')[^1];
        var dot = file.IndexOf('.', 1 < file.Length ? 1 : 0);
        var letters = (dot > 0 ? file[..dot] : file).ToLowerInvariant().Take(60).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-').ToArray();
        var name = string.Join('-', new string(letters).Split('-', StringSplitOptions.RemoveEmptyEntries));
        return name.Length > 0 ? name : "text";
    }
}

/// <summary>What is wrong with a list of sources.</summary>
/// <param name="Index">Which source, from 0.</param>
/// <param name="Option">Which of its options.</param>
/// <param name="Message">What, and what to do.</param>
public sealed record DataSourceProblem(int Index, string Option, string Message);

/// <summary>Rules over the options of several sources.</summary>
public static class DataSourceRules
{
    private const double Rounding = 1e-3;

    /// <summary>Every problem of a list of sources.</summary>
    public static IEnumerable<DataSourceProblem> Problems(IReadOnlyList<DataSource> sources)
    {
        for (var i = 0; i < sources.Count; i++)
        {
            var source = sources[i];
            var form = ArtifactForms.Dataset.FirstOrDefault(f => source.From.StartsWith(f, StringComparison.Ordinal));
            if (form is null)
                yield return new(i, "from", $"'{source.From}' is not a source of text: expected {ArtifactForms.SourceForms}");
            else if (source.From.Length == form.Length)
                yield return new(i, "from", $"'{source.From}' names nothing after the colon");
            else if (source.Field is not null && !ArtifactForms.WithFields.Contains(form))
                yield return new(i, "field", $"{form}... has no fields: 'field' is for {string.Join(" and ", ArtifactForms.WithFields)}");
            if (source.Weight <= 0)
                yield return new(i, "weight", "a weight must be above 0: leave out a source that nothing is to be drawn from");
        }
        if (WeightProblem(sources) is { } problem)
            yield return problem;
    }

    private static DataSourceProblem? WeightProblem(IReadOnlyList<DataSource> sources)
    {
        var without = sources.Select((s, i) => (s, i)).Where(s => s.s.Weight is null).Select(s => s.i).ToList();
        if (without.Count == sources.Count)
            return null;
        if (without.Count > 0)
            return new(without[0], "weight", $"source {without[0] + 1} of {sources.Count} has no 'weight': give every source one, or none of them");
        var sum = sources.Sum(s => s.Weight!.Value);
        if (Math.Abs(sum - 1) <= Rounding)
            return null;
        var remedy = sum > 0 ? ", for example " + string.Join(", ", sources.Select(s => Number(s.Weight!.Value / sum))) : "";
        return new(sources.Count - 1, "weight", $"the weights sum to {Number(sum)}; they must sum to 1{remedy}");
    }

    private static string Number(double value) => Math.Round(value, 3).ToString(CultureInfo.InvariantCulture);
}
