using Espalier.Contracts;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Triggers;

/// <summary>Rules of what every kind of trigger has: filter, parameters and what of the event they name.</summary>
internal sealed class TriggerRules(TriggerKind kind, IReadOnlyCollection<string> parameters, OptionDocument document, ProblemList problems)
{
    private static readonly TimeSpan LongestDebounce = TimeSpan.FromDays(1);
    private const string Prefix = "event.";

    public void Check()
    {
        var settings = kind.Read(document.ToElement());
        if (settings.Name is { } own && !Planning.StepNames.IsValid(own))
            problems.Add(document.PlaceOf("name"), $"a trigger's name must be {Planning.StepNames.Rule}");
        if (settings.When is { } filter)
            CheckFilter(filter);
        foreach (var (option, text) in settings.Templates())
            CheckTemplate(option, text);
        foreach (var name in settings.Params.Keys.Where(n => !parameters.Contains(n)))
            problems.Add(document.PlaceOf($"params.{name}"), $"the pipeline has no parameter '{name}': {NearestWord.Hint(name, parameters)}");
        if (settings.Debounce is { } debounce && (debounce <= TimeSpan.Zero || debounce > LongestDebounce))
            problems.Add(document.PlaceOf("debounce"), "'debounce' must be more than 0s and at most 1d");
    }

    private void CheckFilter(string text)
    {
        var place = document.PlaceOf("when").Value;
        try
        {
            foreach (var field in EventFilter.Parse(text).Fields.Where(f => !kind.Says(f.Path)))
                problems.Add(place.Line, place.TextColumn + field.Column - 1, $"'when': {Unknown(field.Path)}");
        }
        catch (ExpressionException e)
        {
            problems.Add(place.Line, place.TextColumn + e.Column - 1, $"'when': {e.Message}");
        }
    }

    private void CheckTemplate(string option, string text)
    {
        var (paths, problem) = EventTemplate.Read(text);
        var place = document.PlaceOf(option).Value;
        if (problem is not null)
            problems.Add(place, $"'{option}': {problem}");
        foreach (var path in paths.Where(p => !kind.Says(p)))
            problems.Add(place, $"'{option}': {Unknown(path)}");
    }

    private string Unknown(string path) => $"{kind.Event} has no '{Prefix}{path}': {NearestWord.Hint(Prefix + path, [.. kind.Fields.Select(f => Prefix + f)])}";
}
