using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Sources in steps that name them by themselves (<c>uses: dataset, with: { source: "file:a.txt" }</c>): the user's files are located, admitted
/// and fingerprinted as those that the planner makes steps for, and registered datasets are looked up.
/// </summary>
internal sealed class OwnSources(PlanningContext context, RegistryNames names, string baseDirectory, ProblemList problems)
{
    private const string NameOption = "name";

    /// <summary>Registered datasets that a step names by itself.</summary>
    public static IEnumerable<string> RegisteredIn(StepDraft step) => step.Stage is null
        ? []
        : FingerprintedOption.Of(step.Options.Values, step.Stage.Traits).Select(o => o.Text).OfType<string>().Where(RegistryNames.IsDataset);

    /// <summary>The user's own files that a step names by itself.</summary>
    public static IEnumerable<DataSource> FilesIn(StepDraft step) => step.Stage is null
        ? []
        : FingerprintedOption.Of(step.Options.Values, step.Stage.Traits).Where(o => o.Text is { } text && IsOwn(text))
            .Select(o => new DataSource
            {
                From = o.Text!, Field = o.Holder["field"] is JsonValue field && field.TryGetValue<string>(out var name) ? name : null,
            });

    public void Locate(StepDraft step)
    {
        if (step.Stage is null)
            return;
        foreach (var option in FingerprintedOption.Of(step.Options.Values, step.Stage.Traits).ToList())
        {
            if (option.Text is { } text && IsLocated(text))
                Locate(step, option, text);
        }
        ExamineList(step);
    }

    private void Locate(StepDraft step, FingerprintedOption option, string text)
    {
        try
        {
            var source = DatasetSource.Locate(text, baseDirectory, context.Admit, step.Stage!.Traits.Corpora);
            option.Holder[option.Name] = source;
            if (RegistryNames.IsDataset(text))
                option.Holder[option.Fingerprint] = names.Find(text).Root.Hex;
            else if (IsOwn(text) && option.Holder[option.Fingerprint] is null && context.Fingerprint is { } digest)
                option.Holder[option.Fingerprint] = digest(source);
        }
        catch (UserInputException e)
        {
            problems.Add(step.Options.PlaceOf(option.Path), $"'{option.Path}': {e.Message}");
        }
    }

    /// <summary>Sources in a list get the names that those of a dataset option have.</summary>
    private void ExamineList(StepDraft step)
    {
        if (problems.Count > 0 || !step.Stage!.MakesDatasets || step.Options.Values[DatasetSource.SourcesOption] is not JsonArray list)
            return;
        var sources = list.Deserialize<List<DataSource>>(WireJson.Options)!
            .Select(s => s with { Name = s.Name ?? (s.IsOwn ? DataSource.DefaultName(s.From) : null) }).ToList();
        foreach (var (source, value) in sources.Zip(list).Where(s => s.First.Name is not null))
            value![NameOption] = source.Name;
        var places = sources.Select((_, i) => step.Options.PlaceOf($"{DatasetSource.SourcesOption}[{i}].from"));
        DatasetSource.Examine([.. sources.Zip(places, (source, place) => new PlacedSource(source, place.Line, place.Column))], context, problems);
    }

    private static bool IsLocated(string text) =>
        IsOwn(text) || RegistryNames.IsDataset(text) || text.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal);

    private static bool IsOwn(string text) => ArtifactForms.Own.Any(form => text.StartsWith(form, StringComparison.Ordinal));
}
