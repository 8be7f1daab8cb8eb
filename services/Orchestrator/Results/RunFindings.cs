using System.Collections.Concurrent;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Results;

/// <summary>Results and costs of runs, for whoever looks at them again and again: what was read is kept until a step ends.</summary>
internal sealed class RunFindings(IRunReader runs, RunSources sources, ArtifactStore artifacts)
{
    private const int MostKept = 64, MostSizes = 10_000, MostSteps = 1000;
    private readonly ConcurrentDictionary<Guid, (string Position, RunResults Results)> _results = new();
    private readonly ConcurrentDictionary<Guid, (string Position, RunSummary Summary)> _summaries = new();
    private readonly ConcurrentDictionary<Digest, long> _newBytes = new(); // a manifest and its parents never change

    /// <summary>The results of a run; null when there is no such run.</summary>
    public async Task<RunResults?> ResultsAsync(Guid id, CancellationToken cancellationToken)
    {
        if (await FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } run)
            return null;
        var position = PositionOf(run);
        if (_results.TryGetValue(id, out var kept) && kept.Position == position)
            return kept.Results;
        var summary = await SummaryAsync(run, position, cancellationToken).ConfigureAwait(false);
        var results = await RunResults.ReadAsync(artifacts, summary, cancellationToken).ConfigureAwait(false);
        Keep(_results, id, (position, results));
        return results;
    }

    /// <summary>The costs of a run; null when there is no such run.</summary>
    public async Task<RunCosts?> CostsAsync(Guid id, CancellationToken cancellationToken)
    {
        if (await FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } run)
            return null;
        var summary = await SummaryAsync(run, PositionOf(run), cancellationToken).ConfigureAwait(false);
        var estimates = (await sources.FindEstimatesAsync(id, cancellationToken).ConfigureAwait(false) ?? []).ToDictionary(e => e.Name);
        var counted = new HashSet<Digest>();
        var steps = new List<StepCost>();
        foreach (var (step, measured) in run.Steps.Zip(summary.Steps))
        {
            var cost = new StepCost { Name = step.Name, Estimate = estimates.GetValueOrDefault(step.Name) };
            steps.Add(await CostOfAsync(cost, step, measured, counted, cancellationToken).ConfigureAwait(false));
        }
        return new RunCosts { Steps = steps, IsPartial = run.Steps.Count == MostSteps };
    }

    private async Task<StepCost> CostOfAsync(
        StepCost cost, StepView step, StepSummary measured, HashSet<Digest> counted, CancellationToken cancellationToken)
    {
        if (!step.State.EndedWell() || step.State == StepState.Skipped)
            return step is { Started: { } begun, Ended: { } gone } ? cost with { Seconds = (gone - begun).TotalSeconds } : cost;
        var stored = step.Outputs.Values.Sum(o => o.SizeBytes);
        if (step.State == StepState.Cached)
            return cost with { SavedSeconds = measured.Duration.TotalSeconds, StoredBytes = stored, NewBytes = 0 };
        long added = 0;
        foreach (var output in step.Outputs.Values.Where(o => counted.Add(o.Root)))
            added += await NewBytesAsync(output.Root, cancellationToken).ConfigureAwait(false);
        return cost with
        {
            Seconds = step is { Started: { } started, Ended: { } ended } ? (ended - started).TotalSeconds : null,
            StoredBytes = stored,
            NewBytes = added,
            PeakMemoryBytes = measured.PeakMemoryBytes > 0 ? measured.PeakMemoryBytes : null,
        };
    }

    private async Task<long> NewBytesAsync(Digest root, CancellationToken cancellationToken)
    {
        if (_newBytes.TryGetValue(root, out var known))
            return known;
        if (_newBytes.Count >= MostSizes)
            _newBytes.Clear();
        return _newBytes[root] = await RunResults.NewBytesAsync(artifacts, root, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A run with as many of its steps as are looked at.</summary>
    private async Task<RunView?> FindAsync(Guid id, CancellationToken cancellationToken) =>
        await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is { } run
            ? run.Steps.Count > MostSteps ? run with { Steps = [.. run.Steps.Take(MostSteps)] } : run
            : null;

    private async Task<RunSummary> SummaryAsync(RunView run, string position, CancellationToken cancellationToken)
    {
        if (_summaries.TryGetValue(run.RunId, out var kept) && kept.Position == position)
            return kept.Summary;
        var summary = await RunSummary.OfAsync(artifacts, run, cancellationToken).ConfigureAwait(false);
        Keep(_summaries, run.RunId, (position, summary));
        return summary;
    }

    private static void Keep<T>(ConcurrentDictionary<Guid, T> kept, Guid id, T value)
    {
        if (kept.Count >= MostKept)
            kept.Clear();
        kept[id] = value;
    }

    /// <summary>Changes whenever a step ends, or begins again.</summary>
    private static string PositionOf(RunView run) =>
        $"{run.State} {run.Steps.Count(s => s.State.IsEnded())} {run.Steps.Sum(s => s.Attempts)} {run.Steps.Max(s => s.Ended)?.Ticks}";
}
