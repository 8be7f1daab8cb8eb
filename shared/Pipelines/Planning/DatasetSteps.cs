using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Adds one <c>dataset</c> step for every distinct source that options name. Its options are <c>source</c> and, for the user's
/// own files, <c>fingerprint</c>; the rest are the stage's defaults.
/// </summary>
internal sealed class DatasetSteps(PlanningContext context, string baseDirectory, ICollection<string> takenNames, ProblemList problems)
{
    /// <summary>Option of the dataset stage that names the source.</summary>
    public const string SourceOption = "source";

    /// <summary>Option of the dataset stage that holds the digest of the user's own files.</summary>
    public const string FingerprintOption = "fingerprint";

    private readonly Dictionary<string, StepDraft> _steps = [];

    public IEnumerable<StepDraft> Steps => _steps.Values;

    /// <summary>The step that makes a source's dataset, or null when the source is wrong, which is reported.</summary>
    public string? StepFor(ArtifactOption option)
    {
        var source = Locate(option);
        if (source is null)
            return null;
        if (!_steps.TryGetValue(source, out var step))
            _steps[source] = step = Create(source, option);
        return step.Name;
    }

    private string? Locate(ArtifactOption option)
    {
        var colon = option.Text.IndexOf(':', StringComparison.Ordinal) + 1;
        var (form, rest) = (option.Text[..colon], option.Text[colon..]);
        if (form == ArtifactForms.Corpus)
            return option.Text;
        var path = Path.GetFullPath(rest, baseDirectory);
        if (form == ArtifactForms.File ? File.Exists(path) : Directory.Exists(path))
            return form + path;
        problems.Add(option.Line, option.Column, $"'{option.Path}': there is no {(form == ArtifactForms.File ? "file" : "folder")} {path}; relative paths start from the folder of the pipeline file");
        return null;
    }

    private StepDraft Create(string source, ArtifactOption option)
    {
        var values = new JsonObject { [SourceOption] = source };
        if (!source.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal) && context.Fingerprint is { } fingerprint)
            values[FingerprintOption] = Take(fingerprint, source, option);
        var stage = context.Stages.FirstOrDefault(s => s.Kind == StageKinds.Dataset);
        var node = JsonSource.From(System.Text.Json.JsonSerializer.SerializeToElement(values), option.Line, option.Column);
        var schema = stage?.Schema ?? new OptionSchema { Kind = ValueKind.Object, Properties = values.ToDictionary(v => v.Key, _ => new OptionSchema { Kind = ValueKind.Text }) };
        return new StepDraft
        {
            Name = NameFor(source),
            Block = "",
            Place = new PlacedEntry("", option.Line, option.Column, node),
            Envelope = new StageEnvelope { Uses = StageKinds.Dataset },
            Stage = stage,
            Body = node,
            Options = OptionReader.Read(schema, node, problems, stage?.OptionsType),
            IsImplicit = true,
        };
    }

    private string Take(Func<string, string> fingerprint, string source, ArtifactOption option)
    {
        try
        {
            return fingerprint(source);
        }
        catch (UserInputException exception)
        {
            problems.Add(option.Line, option.Column, exception.Message);
            return "";
        }
    }

    /// <summary><c>data-general</c> for <c>corpus:general</c>, <c>data-notes</c> for <c>file:texts/notes.txt</c>.</summary>
    private string NameFor(string source)
    {
        var word = source.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal)
            ? source[ArtifactForms.Corpus.Length..]
            : Path.GetFileNameWithoutExtension(source.TrimEnd('/'));
        var letters = new string([.. word.ToLowerInvariant().Take(60).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')]);
        var name = string.Join('-', $"data-{letters}".Split('-', StringSplitOptions.RemoveEmptyEntries));
        var result = name;
        for (var i = 2; takenNames.Contains(result); i++)
            result = $"{name}-{i}";
        takenNames.Add(result);
        return result;
    }
}
