using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Adds one step that makes a dataset for every distinct source that options name. Its options are <c>source</c> and, for the user's
/// own files, <c>fingerprint</c>; the rest are the stage's defaults.
/// </summary>
internal sealed class DatasetSteps(PlanningContext context, string baseDirectory, ICollection<string> takenNames, ProblemList problems)
{
    private readonly Dictionary<string, StepDraft> _steps = [];

    public IEnumerable<StepDraft> Steps => _steps.Values;

    private StageDefinition? Maker { get; } = context.Stages.FirstOrDefault(s => s.MakesDatasets);

    /// <summary>The step that makes a source's dataset, or null when the source is wrong, which is reported.</summary>
    public string? StepFor(ArtifactOption option)
    {
        var source = Locate(option);
        if (source is null)
            return null;
        if (_steps.TryGetValue(source, out var known))
            return known.Name;
        if (Create(source, option) is not { } step)
            return null;
        _steps.Add(source, step);
        return step.Name;
    }

    private string? Locate(ArtifactOption option)
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

    private StepDraft? Create(string source, ArtifactOption option)
    {
        if (Maker is not { } stage)
        {
            problems.Add(option.Line, option.Column, $"'{option.Path}': no stage that makes datasets is offered");
            return null;
        }
        var node = new PlacedNode { Kind = NodeKind.Map, Line = option.Line, Column = option.Column };
        return new StepDraft
        {
            Name = NameFor(source),
            Block = "",
            Place = new PlacedEntry("", option.Line, option.Column, node),
            Envelope = new StageEnvelope { Uses = stage.Kind },
            Stage = stage,
            Body = node,
            Options = DatasetSource.ReadOptions(source, stage, context.Fingerprint, node, problems),
            IsImplicit = true,
        };
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
