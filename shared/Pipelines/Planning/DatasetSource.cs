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

    /// <summary>Option of the dataset stage that lists several sources.</summary>
    public const string SourcesOption = "sources";

    /// <summary>Option, of the stage or of a source in its list, that holds the digest of the user's own files, or the root of a registered dataset.</summary>
    public const string FingerprintOption = "fingerprint";

    /// <summary>
    /// The source with a full path: <c>file:texts/a.txt</c> as <c>file:/home/me/texts/a.txt</c>; a corpus, a registered dataset and an upload as
    /// they are.
    /// </summary>
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
        if (form == ArtifactForms.RegisteredDataset)
            return text;
        if (UploadReference.IsOne(rest))
        {
            return UploadReference.TryParse(rest, out _)
                ? text
                : throw new UserInputException($"'{text}' names no upload: expected {form}{UploadReference.Form}DIGEST/NAME, as espalier submit writes it");
        }
        if (rest.Any(char.IsControl))
            throw new UserInputException($"{form}PATH holds a control character, which no path here has");
        var path = Path.GetFullPath(rest, baseDirectory);
        admit?.Invoke(path);
        if (form == ArtifactForms.Directory ? Directory.Exists(path) : File.Exists(path))
            return form + path;
        throw new UserInputException($"there is no {(form == ArtifactForms.Directory ? "folder" : "file")} {path}; relative paths start from {baseDirectory}");
    }

    /// <summary>As for a text; the user's own files also get the name of their domain.</summary>
    /// <inheritdoc cref="Locate(string, string, Action{string}?, IReadOnlyList{string}?)"/>
    public static DataSource Locate(DataSource source, string baseDirectory, Action<string>? admit = null, IReadOnlyList<string>? corpora = null)
    {
        var from = Locate(source.From, baseDirectory, admit, corpora);
        return source with { From = from, Name = source.Name ?? (source.IsOwn ? DataSource.DefaultName(from) : null) };
    }

    /// <summary>Options for the dataset stage.</summary>
    /// <param name="option">A dataset option.</param>
    /// <param name="baseDirectory">Where relative paths start.</param>
    /// <param name="stage">The dataset stage, to fill its defaults in.</param>
    /// <param name="context">What is known of sources.</param>
    /// <exception cref="UserInputException">A source cannot be read, or the stage refuses it.</exception>
    public static JsonElement OptionsOf(ArtifactOption option, string baseDirectory, StageDefinition stage, PlanningContext context)
    {
        var problems = new ProblemList(option.Text);
        var names = new RegistryNames(context.FindRegistered);
        var values = option.Sources is { } sources
            ? ValuesOf(
                [.. sources.Select(s => s with { Source = names.Resolve(Locate(s.Source, baseDirectory, context.Admit, stage.Traits.Corpora)) })],
                context, problems)
            : ValuesOf(Locate(option.Text, baseDirectory, context.Admit, stage.Traits.Corpora), option, context, problems);
        problems.ThrowIfAny();
        var options = Read(values, stage, new PlacedNode { Kind = NodeKind.Map, Line = option.Line, Column = option.Column }, problems);
        problems.ThrowIfAny();
        return options.ToElement();
    }

    /// <summary>Values for the stage's options from one located source; what cannot be read is reported.</summary>
    internal static JsonObject ValuesOf(string source, ArtifactOption option, PlanningContext context, ProblemList problems)
    {
        var placed = new PlacedSource(new DataSource { From = source }, option.Line, option.Column);
        Examine([placed], context, problems);
        var values = new JsonObject { [SourceOption] = source };
        if (FingerprintOf(placed, context, problems) is { } fingerprint)
            values[FingerprintOption] = fingerprint;
        return values;
    }

    /// <summary>The same from a list of located sources.</summary>
    internal static JsonObject ValuesOf(IReadOnlyList<PlacedSource> sources, PlanningContext context, ProblemList problems)
    {
        Examine(sources, context, problems);
        var complete = sources.Select(s => s.Source with
        {
            Fingerprint = s.Source.IsRegistered ? s.Source.Fingerprint : FingerprintOf(s, context, problems),
        }).ToList();
        return new JsonObject { [SourcesOption] = JsonSerializer.SerializeToNode(complete, WireJson.Options) };
    }

    /// <summary>Looks at the beginning of sources, and refuses names that two domains would share.</summary>
    internal static void Examine(IReadOnlyList<PlacedSource> sources, PlanningContext context, ProblemList problems)
    {
        var owners = new Dictionary<string, int>();
        for (var i = 0; i < sources.Count; i++)
        {
            var source = sources[i];
            try
            {
                // The domains of a registered dataset are known when it is read.
                IReadOnlyList<string> named = source.Source.Name is { } name ? [name] : [];
                var domains = source.Source.IsRegistered ? named : context.Examine?.Invoke(source.Source) ?? named;
                if (domains.FirstOrDefault(d => !owners.TryAdd(d, i)) is { } shared)
                    problems.Add(
                        source.Line, source.Column, $"sources {owners[shared] + 1} and {i + 1} both have a domain '{shared}': give one of them another 'name'");
            }
            catch (UserInputException exception)
            {
                problems.Add(source.Line, source.Column, exception.Message);
            }
        }
    }

    internal static OptionDocument Read(JsonObject values, StageDefinition? stage, PlacedNode place, ProblemList problems)
    {
        var schema = stage?.Schema
            ?? new OptionSchema { Kind = ValueKind.Object, Properties = values.ToDictionary(v => v.Key, _ => new OptionSchema { Kind = ValueKind.Text }) };
        return OptionReader.Read(schema, JsonSource.From(JsonSerializer.SerializeToElement(values), place.Line, place.Column), problems, stage?.OptionsType);
    }

    private static string? FingerprintOf(PlacedSource source, PlanningContext context, ProblemList problems)
    {
        if (!source.Source.IsOwn || context.Fingerprint is not { } fingerprint)
            return null;
        try
        {
            return fingerprint(source.Source.From);
        }
        catch (UserInputException exception)
        {
            problems.Add(source.Line, source.Column, exception.Message);
            return "";
        }
    }
}
