using System.Globalization;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Results;

/// <summary>
/// Whether growing paid, in sentences: each grown and trained model against the control, the same base trained further
/// without growing. Gap closure as in the expert-upcycling paper: (control - grown) / (control - from scratch).
/// </summary>
public static class GrowthVerdict
{
    /// <summary>The sentences; none when the run has no control to compare with.</summary>
    /// <param name="run">The run.</param>
    /// <param name="rows">Its models with their numbers.</param>
    /// <param name="differences">Paired differences of held-out loss.</param>
    public static IReadOnlyList<string> Write(RunSummary run, IReadOnlyList<ModelRow> rows, IReadOnlyList<LossDifference> differences)
    {
        var steps = run.Steps.ToDictionary(s => s.Name);
        var byName = rows.Where(r => r.Loss is not null).ToDictionary(r => r.Model);
        var lines = new List<string>();
        foreach (var (grown, upcycled) in GrownAndTrained(run, steps).Where(g => byName.ContainsKey(g.Trained.Name)))
        {
            var origin = steps[upcycled].Needs.FirstOrDefault(n => steps.TryGetValue(n, out var s) && s.Kind == StageKinds.Train);
            var control = run.Steps.FirstOrDefault(
                s => s.Kind == StageKinds.Train && origin is not null && s.Needs.Contains(origin) && byName.ContainsKey(s.Name));
            if (control is null)
                continue;
            lines.Add(Compare(grown.Name, control.Name, byName, differences));
            lines.AddRange(Closure(run, byName, grown.Name, control.Name, differences));
        }
        return lines;
    }

    private static IEnumerable<(StepSummary Trained, string Upcycled)> GrownAndTrained(RunSummary run, Dictionary<string, StepSummary> steps) =>
        from step in run.Steps
        where step.Kind == StageKinds.Train
        let parent = step.Needs.FirstOrDefault(n => steps.TryGetValue(n, out var s) && s.Kind == StageKinds.Upcycle)
        where parent is not null
        select (step, parent);

    // A from-scratch model of the grown size: a train step that needs no model and has as many parameters.
    private static IEnumerable<string> Closure(
        RunSummary run, Dictionary<string, ModelRow> rows, string grown, string control, IReadOnlyList<LossDifference> differences)
    {
        var scratch = run.Steps.FirstOrDefault(s => s.Kind == StageKinds.Train && s.Name != control && rows.TryGetValue(s.Name, out var row)
            && row.TotalParameters == rows[grown].TotalParameters
                && !s.Needs.Any(n => run.Steps.Any(o => o.Name == n && o.Outputs.ContainsKey(OutputNames.Model))));
        if (scratch is null)
            yield break;
        var gap = rows[control].Loss!.Value - rows[scratch.Name].Loss!.Value;
        yield return gap > 0 && !(Paired(differences, scratch.Name, control) is { High: >= 0 })
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{scratch.Name} (grown size from scratch, same total tokens) is {gap:0.0000} better than {control}; {grown} closes "
                    + $"{(rows[control].Loss!.Value - rows[grown].Loss!.Value) / gap:P0} of that gap.")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{scratch.Name} (grown size from scratch, same total tokens) is not clearly better than {control} "
                    + $"({-gap:+0.0000;-0.0000}), so there is no gap to close at this budget.");
    }

    private static string Compare(string grown, string control, Dictionary<string, ModelRow> rows, IReadOnlyList<LossDifference> differences)
    {
        var start = $"{grown} against {control} (same base, same tokens, not grown): ";
        if (Paired(differences, grown, control) is not { } paired)
            return start + string.Create(
                CultureInfo.InvariantCulture,
                $"{rows[grown].Loss!.Value - rows[control].Loss!.Value:+0.0000;-0.0000} nats per token, without an interval.");
        var verdict = paired.High < 0 ? "growing paid" : paired.Low > 0 ? "growing did not pay" : "no clear difference";
        return start + string.Create(
            CultureInfo.InvariantCulture,
            $"{paired.Value:+0.0000;-0.0000} nats per token, 95 % interval [{paired.Low:+0.0000;-0.0000}, {paired.High:+0.0000;-0.0000}]: {verdict}.");
    }

    private static LossDifference? Paired(IReadOnlyList<LossDifference> differences, string first, string second) =>
        differences.FirstOrDefault(d => d.First == first && d.Second == second);
}
