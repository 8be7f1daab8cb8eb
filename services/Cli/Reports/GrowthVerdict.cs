using System.Globalization;
using Espalier.Contracts;

namespace Espalier.Cli.Reports;

/// <summary>
/// Says in plain words whether growing paid: each grown and trained model against the control that trained the same base
/// on without growing it. Gap closure as in the expert-upcycling paper: (control - grown) / (control - from scratch).
/// </summary>
internal static class GrowthVerdict
{
    public static IReadOnlyList<string> Write(RunSummary run, IReadOnlyList<ModelRow> rows)
    {
        var steps = run.Steps.ToDictionary(s => s.Name);
        var byName = rows.Where(r => r.Loss is not null).ToDictionary(r => r.Model);
        var lines = new List<string>();
        foreach (var (grown, upcycled) in GrownAndTrained(run, steps).Where(g => byName.ContainsKey(g.Trained.Name)))
        {
            var origin = steps[upcycled].Needs.FirstOrDefault(n => steps.TryGetValue(n, out var s) && s.Kind == StageKinds.Train);
            var control = run.Steps.FirstOrDefault(s => s.Kind == StageKinds.Train && origin is not null && s.Needs.Contains(origin) && byName.ContainsKey(s.Name));
            if (control is null)
                continue;
            var difference = byName[grown.Name].Loss!.Value - byName[control.Name].Loss!.Value;
            var verdict = Paired(run, grown.Name, control.Name) is { } interval
                ? interval.High < 0 ? "growing paid" : interval.Low > 0 ? "growing did not pay" : "no clear difference"
                : "no interval";
            var text = Paired(run, grown.Name, control.Name) is { } range
                ? string.Create(CultureInfo.InvariantCulture, $", 95 % interval [{range.Low:+0.0000;-0.0000}, {range.High:+0.0000;-0.0000}]")
                : "";
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{grown.Name} against {control.Name} (same base, same tokens, not grown): {difference:+0.0000;-0.0000} nats per token{text}: {verdict}."));
            lines.AddRange(Closure(run, byName, grown.Name, control.Name));
        }
        return lines;
    }

    private static IEnumerable<(StepSummary Trained, string Upcycled)> GrownAndTrained(RunSummary run, Dictionary<string, StepSummary> steps) =>
        from step in run.Steps
        where step.Kind == StageKinds.Train
        let parent = step.Needs.FirstOrDefault(n => steps.TryGetValue(n, out var s) && s.Kind == StageKinds.Upcycle)
        where parent is not null
        select (step, parent);

    // A from-scratch model of the grown size: a train step without a model among its needs and with as many parameters.
    private static IEnumerable<string> Closure(RunSummary run, Dictionary<string, ModelRow> rows, string grown, string control)
    {
        var scratch = run.Steps.FirstOrDefault(s => s.Kind == StageKinds.Train && s.Name != control && rows.TryGetValue(s.Name, out var row)
            && row.TotalParameters == rows[grown].TotalParameters && s.Needs.All(n => !rows.ContainsKey(n)));
        if (scratch is null)
            yield break;
        var gap = rows[control].Loss!.Value - rows[scratch.Name].Loss!.Value;
        yield return gap > 0 && !(Paired(run, scratch.Name, control) is { High: >= 0 })
            ? string.Create(CultureInfo.InvariantCulture, $"{scratch.Name} (grown size from scratch, same total tokens) is {gap:0.0000} better than {control}; {grown} closes {(rows[control].Loss!.Value - rows[grown].Loss!.Value) / gap:P0} of that gap.")
            : string.Create(CultureInfo.InvariantCulture, $"{scratch.Name} (grown size from scratch, same total tokens) is not clearly better than {control} ({-gap:+0.0000;-0.0000}), so there is no gap to close at this budget.");
    }

    // Evaluate reports paired differences as MODEL-vs-BASELINE.loss-difference-low and -high.
    private static (double Low, double High)? Paired(RunSummary run, string model, string baseline)
    {
        foreach (var step in run.Steps.Where(s => s.Kind == StageKinds.Evaluate))
        {
            if (step.Metrics.TryGetValue($"{model}-vs-{baseline}.loss-difference-low", out var low) && step.Metrics.TryGetValue($"{model}-vs-{baseline}.loss-difference-high", out var high))
                return (low, high);
        }
        return null;
    }
}
