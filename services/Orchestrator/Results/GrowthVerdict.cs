using System.Globalization;
using Espalier.Contracts;
using Espalier.Study;

namespace Espalier.Orchestrator.Results;

/// <summary>
/// Whether growing paid, in sentences: each grown and trained model against the control, the same base trained further
/// without growing. Gap closure as in the expert-upcycling paper: (control - grown) / (control - from scratch).
/// </summary>
public static class GrowthVerdict
{
    /// <summary>The sentences: what was gained, what it cost, what is left after compression, and what decides it.</summary>
    /// <param name="run">The run.</param>
    /// <param name="rows">Its models with their numbers.</param>
    /// <param name="differences">Differences of losses, in pairs.</param>
    /// <param name="models">Its trained models with what they cost.</param>
    public static IReadOnlyList<string> Write(
        RunSummary run, IReadOnlyList<ModelRow> rows, IReadOnlyList<LossDifference> differences, IReadOnlyList<StudyModel> models)
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
            var scratch = FindScratch(run, byName, grown.Name, control.Name);
            if (scratch is not null)
                lines.Add(Closure(byName, grown.Name, control.Name, scratch, differences));
            var costs = models.ToDictionary(m => m.Step);
            if (costs.TryGetValue(grown.Name, out var cost) && costs.TryGetValue(control.Name, out var controlCost))
            {
                lines.Add(Cost(cost, controlCost, scratch is null ? null : costs.GetValueOrDefault(scratch)));
                lines.Add(WhatDecides(cost, Paired(differences, grown.Name, control.Name)));
            }
            var compressed = rows.Where(r => r.Loss is not null && ComesFrom(steps, r.Model, grown.Name));
            lines.AddRange(compressed.Select(r => Compressed(r, byName[grown.Name], differences)));
        }
        return lines;
    }

    /// <summary>Pruned or quantized from a model, with nothing trained between.</summary>
    private static bool ComesFrom(Dictionary<string, StepSummary> steps, string name, string origin)
    {
        for (var left = steps.Count; left > 0 && steps[name].Kind is StageKinds.Prune or StageKinds.Quantize; left--)
        {
            var source = steps[name].Needs.FirstOrDefault(n => steps.TryGetValue(n, out var s) && s.Outputs.ContainsKey(OutputNames.Model));
            if (source == origin)
                return true;
            if (source is null)
                return false;
            name = source;
        }
        return false;
    }

    private static string Compressed(ModelRow row, ModelRow origin, IReadOnlyList<LossDifference> differences)
    {
        var paired = Paired(differences, row.Model, origin.Model);
        var interval = paired is null ? "" : $" [{ResultText.Signed(paired.Low)}, {ResultText.Signed(paired.High)}]";
        return $"{row.Model} ({(row.Kind == StageKinds.Prune ? "pruned" : "quantized")}) takes {ResultText.Bytes(row.StoredBytes)} instead of the "
            + $"{ResultText.Bytes(origin.StoredBytes)} of {origin.Model}, for {ResultText.Signed(row.Loss!.Value - origin.Loss!.Value)} nats per token"
            + $"{interval}.";
    }

    private static string Cost(StudyModel grown, StudyModel control, StudyModel? scratch)
    {
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"Cost: {grown.Step} took {grown.Operations / control.Operations:P0} of the arithmetic of {control.Step}, and "
                + $"{ResultText.Count(grown.Parameters)} parameters instead of {ResultText.Count(control.Parameters)}");
        return scratch is null ? text + "." : text + string.Create(
            CultureInfo.InvariantCulture, $"; {grown.Operations / scratch.Operations:P0} of that of {scratch.Step}.");
    }

    private static string WhatDecides(StudyModel grown, LossDifference? paired)
    {
        var (before, after) = (grown.GrownAt ?? 0, grown.Tokens - (grown.GrownAt ?? 0));
        var here = $"here {ResultText.Count(after)} tokens after growing, and {ResultText.Count(before)} before";
        return paired is { High: < 0 }
            ? $"What decides it: how long the copies train to become different ({here})."
            : $"What may change it: how long the copies train to become different ({here}); try to grow earlier, or to train longer afterwards.";
    }

    private static IEnumerable<(StepSummary Trained, string Upcycled)> GrownAndTrained(RunSummary run, Dictionary<string, StepSummary> steps) =>
        from step in run.Steps
        where step.Kind == StageKinds.Train
        let parent = step.Needs.FirstOrDefault(n => steps.TryGetValue(n, out var s) && s.Kind == StageKinds.Upcycle)
        where parent is not null
        select (step, parent);

    // A from-scratch model of the grown size: a train step that needs no model and has as many parameters.
    private static string? FindScratch(RunSummary run, Dictionary<string, ModelRow> rows, string grown, string control) =>
        run.Steps.FirstOrDefault(s => s.Kind == StageKinds.Train && s.Name != control && rows.TryGetValue(s.Name, out var row)
            && row.TotalParameters == rows[grown].TotalParameters
                && !s.Needs.Any(n => run.Steps.Any(o => o.Name == n && o.Outputs.ContainsKey(OutputNames.Model))))?.Name;

    private static string Closure(
        Dictionary<string, ModelRow> rows, string grown, string control, string scratch, IReadOnlyList<LossDifference> differences)
    {
        var gap = rows[control].Loss!.Value - rows[scratch].Loss!.Value;
        return gap > 0 && !(Paired(differences, scratch, control) is { High: >= 0 })
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{scratch} (grown size from scratch, same total tokens) is {gap:0.0000} better than {control}; {grown} closes "
                    + $"{(rows[control].Loss!.Value - rows[grown].Loss!.Value) / gap:P0} of that gap.")
            : $"{scratch} (grown size from scratch, same total tokens) is not clearly better than {control} "
                + $"({ResultText.Signed(-gap)}), so there is no gap to close at this budget.";
    }

    private static string Compare(string grown, string control, Dictionary<string, ModelRow> rows, IReadOnlyList<LossDifference> differences)
    {
        var start = $"{grown} against {control} (same base, same tokens, not grown): ";
        if (Paired(differences, grown, control) is not { } paired)
            return $"{start}{ResultText.Signed(rows[grown].Loss!.Value - rows[control].Loss!.Value)} nats per token, without an interval.";
        var verdict = paired.High < 0 ? "growing paid" : paired.Low > 0 ? "growing did not pay" : "no clear difference";
        return $"{start}{ResultText.Signed(paired.Value)} nats per token, "
            + $"95 % interval [{ResultText.Signed(paired.Low)}, {ResultText.Signed(paired.High)}]: {verdict}.";
    }

    private static LossDifference? Paired(IReadOnlyList<LossDifference> differences, string first, string second) =>
        differences.FirstOrDefault(d => d.First == first && d.Second == second);
}
