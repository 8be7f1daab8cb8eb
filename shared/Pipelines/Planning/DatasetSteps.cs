using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Adds one step that makes a dataset for every distinct source, or list of sources, that options name. Its options are <c>source</c> and,
/// for the user's own files, <c>fingerprint</c>, or else <c>sources</c>; the rest are the stage's defaults.
/// </summary>
internal sealed class DatasetSteps(
    PlanningContext context, RegistryNames names, string baseDirectory, ICollection<string> takenNames, ProblemList problems)
{
    private readonly Dictionary<string, StepDraft> _steps = [];

    public IEnumerable<StepDraft> Steps => _steps.Values;

    private StageDefinition? Maker { get; } = context.Stages.FirstOrDefault(s => s.MakesDatasets);

    /// <summary>The step that makes a source's dataset, or null when the source is wrong, which is reported.</summary>
    public string? StepFor(ArtifactOption option)
    {
        if (option.Sources is { } sources)
        {
            var located = sources.Select(source => Locate(source, option)).OfType<PlacedSource>().ToList();
            return located.Count < sources.Count
                ? null
                : StepFor(
                    JsonSerializer.Serialize(located.Select(s => s.Source), WireJson.Options), option, NameFor(located),
                    () => DatasetSource.ValuesOf(located, context, problems));
        }
        return LocateText(option) is { } source
            ? StepFor(source, option, NameFor(source), () => DatasetSource.ValuesOf(source, option, context, problems))
            : null;
    }

    private string? StepFor(string key, ArtifactOption option, string name, Func<JsonObject> values)
    {
        if (_steps.TryGetValue(key, out var known))
            return known.Name;
        if (Maker is not { } stage)
        {
            problems.Add(option.Line, option.Column, $"'{option.Path}': no stage that makes datasets is offered");
            return null;
        }
        var node = new PlacedNode { Kind = NodeKind.Map, Line = option.Line, Column = option.Column };
        var step = new StepDraft
        {
            Name = FreeName(name),
            Block = "",
            Place = new PlacedEntry("", option.Line, option.Column, node),
            Envelope = new StageEnvelope { Uses = stage.Kind },
            Stage = stage,
            Body = node,
            Options = DatasetSource.Read(values(), stage, node, problems),
            IsImplicit = true,
        };
        _steps.Add(key, step);
        return step.Name;
    }

    private string? LocateText(ArtifactOption option)
    {
        try
        {
            return DatasetSource.Locate(option.Text, baseDirectory, context.Admit, Maker?.Traits.Corpora);
        }
        catch (UserInputException exception)
        {
            problems.Add(option.Line, option.Column, $"'{option.Path}': {exception.Message}");
            return null;
        }
    }

    private PlacedSource? Locate(PlacedSource source, ArtifactOption option)
    {
        try
        {
            return source with
            {
                Source = names.Resolve(DatasetSource.Locate(source.Source, baseDirectory, context.Admit, Maker?.Traits.Corpora)),
            };
        }
        catch (UserInputException exception)
        {
            problems.Add(source.Line, source.Column, $"'{option.Path}': {exception.Message}");
            return null;
        }
    }

    /// <summary><c>data-general</c> for <c>corpus:general</c>, <c>data-notes</c> for <c>file:texts/notes.txt</c>.</summary>
    private static string NameFor(string source)
    {
        var word = source.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal) || RegistryNames.IsDataset(source)
            ? source[(source.IndexOf(':', StringComparison.Ordinal) + 1)..]
            : Path.GetFileNameWithoutExtension(source.TrimEnd('/'));
        var letters = new string([.. word.ToLowerInvariant().Take(60).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')]);
        return string.Join('-', $"data-{letters}".Split('-', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary><c>data-notes-and-2-more</c>.</summary>
    private static string NameFor(IReadOnlyList<PlacedSource> sources) =>
        NameFor(sources[0].Source.From) + (sources.Count > 1 ? $"-and-{sources.Count - 1}-more" : "");

    private string FreeName(string name)
    {
        var result = name;
        for (var i = 2; takenNames.Contains(result); i++)
            result = $"{name}-{i}";
        takenNames.Add(result);
        return result;
    }
}
