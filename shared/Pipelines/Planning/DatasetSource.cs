using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Turns what a dataset option says into options of the dataset stage.</summary>
public static class DatasetSource
{
    /// <summary>Option of the dataset stage that names the source.</summary>
    public const string SourceOption = "source";

    /// <summary>Option of the dataset stage that holds the digest of the user's own files.</summary>
    public const string FingerprintOption = "fingerprint";

    /// <summary>The source with a full path: <c>file:texts/a.txt</c> as <c>file:/home/me/texts/a.txt</c>; a corpus as it is.</summary>
    /// <param name="text">As the option has it.</param>
    /// <param name="baseDirectory">Where relative paths start.</param>
    /// <param name="admit">As <see cref="PlanningContext.Admit"/>.</param>
    /// <param name="corpora">The corpora there are; null or empty where that is not known.</param>
    /// <exception cref="UserInputException">There is no such corpus, file or folder, or it may not be read.</exception>
    public static string Locate(string text, string baseDirectory, Action<string>? admit = null, IReadOnlyList<string>? corpora = null)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal) + 1;
        var (form, rest) = (text[..colon], text[colon..]);
        if (form == ArtifactForms.Corpus)
        {
            return corpora is not { Count: > 0 } || corpora.Contains(rest)
                ? text
                : throw new UserInputException($"there is no corpus '{rest}': {NearestWord.Hint(rest, corpora)}");
        }
        if (rest.Any(char.IsControl))
            throw new UserInputException($"{form}PATH holds a control character, which no path here has");
        var path = Path.GetFullPath(rest, baseDirectory);
        admit?.Invoke(path);
        if (form == ArtifactForms.Directory ? Directory.Exists(path) : File.Exists(path))
            return form + path;
        throw new UserInputException($"there is no {(form == ArtifactForms.Directory ? "folder" : "file")} {path}; relative paths start from {baseDirectory}");
    }

    /// <summary>Options for the dataset stage.</summary>
    /// <param name="source">A located source.</param>
    /// <param name="stage">The dataset stage, to fill its defaults in; null leaves them out.</param>
    /// <param name="fingerprint">Digest of the content behind a file or folder; null leaves it out.</param>
    /// <exception cref="UserInputException">The source cannot be read, or the stage refuses it.</exception>
    public static JsonElement OptionsOf(string source, StageDefinition? stage, Func<string, string>? fingerprint)
    {
        var problems = new ProblemList(source);
        var options = ReadOptions(source, stage, fingerprint, new PlacedNode { Kind = NodeKind.Map, Line = 0, Column = 0 }, problems);
        problems.ThrowIfAny();
        return options.ToElement();
    }

    internal static OptionDocument ReadOptions(
        string source, StageDefinition? stage, Func<string, string>? fingerprint, PlacedNode place, ProblemList problems)
    {
        var values = new JsonObject { [SourceOption] = source };
        if (!source.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal) && fingerprint is not null)
            values[FingerprintOption] = Take(fingerprint, source, place, problems);
        var schema = stage?.Schema
            ?? new OptionSchema { Kind = ValueKind.Object, Properties = values.ToDictionary(v => v.Key, _ => new OptionSchema { Kind = ValueKind.Text }) };
        return OptionReader.Read(schema, JsonSource.From(JsonSerializer.SerializeToElement(values), place.Line, place.Column), problems, stage?.OptionsType);
    }

    private static string Take(Func<string, string> fingerprint, string source, PlacedNode place, ProblemList problems)
    {
        try
        {
            return fingerprint(source);
        }
        catch (UserInputException exception)
        {
            problems.Add(place, exception.Message);
            return "";
        }
    }
}
