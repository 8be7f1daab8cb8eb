using System.Diagnostics;

namespace Espalier.CrashMatrix;

/// <summary>Runs points one after the other and checks every promise after each.</summary>
internal sealed class Matrix(Action<string> say)
{
    /// <summary>Only a run that hangs takes this long, also on a busy machine.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>A worker that lost the broker exits and is started again: that takes seconds.</summary>
    private static readonly TimeSpan ConsumerLimit = TimeSpan.FromMinutes(1);

    private readonly HashSet<string> _reached = [];
    private IReadOnlyDictionary<string, int> _consumers = new Dictionary<string, int>();
    private Reference? _reference;
    private TimeSpan _fastest = TimeSpan.MaxValue;

    /// <summary>Every fault point that any run has reached.</summary>
    public IReadOnlySet<string> Reached => _reached;

    /// <summary>Runs all points; those of one store together, so that services start once for each.</summary>
    public async Task<IReadOnlyList<PointOutcome>> RunAsync(IReadOnlyList<CrashPoint> points)
    {
        var outcomes = new List<PointOutcome>();
        await using var servers = await Servers.StartAsync();
        foreach (var group in points.GroupBy(p => p.Store).OrderBy(g => g.Key))
        {
            await using var site = await Site.StartAsync(group.Key, servers);
            await MeasureReferenceAsync(site);
            foreach (var point in group)
            {
                var outcome = await RunAsync(site, point);
                // The point lies further on than this run went: take the first time instead.
                if (!outcome.Struck && point.Disruption == Disruption.Fault)
                    outcome = await RunAsync(site, point with { Fault = System.Text.RegularExpressions.Regex.Replace(point.Fault, @":\d+:", ":1:") });
                outcomes.Add(outcome);
                say(MatrixReport.Line(outcome));
                if (!outcome.IsGood)
                    say(site.Logs());
            }
            RecordReached(site);
        }
        return outcomes;
    }

    /// <summary>Undisturbed runs: the first warms the services up, the second is what the others are compared with.</summary>
    private async Task MeasureReferenceAsync(Site site)
    {
        for (var i = 0; i < 3; i++)
        {
            RecordReached(site);
            await site.ResetAsync("");
            var clock = Stopwatch.StartNew();
            var run = await site.SubmitAsync(MicroPipeline.Write(site.TextFile, $"{site.Store}-reference-{i}".ToLowerInvariant()), Limit);
            var state = await site.Ledger.WaitForEndAsync(run, Limit);
            var steps = await site.Ledger.StepsAsync(run);
            if (state != "succeeded")
                throw new InvalidOperationException(
                    $"The undisturbed run ended as {state}: {string.Join("; ", steps.Select(s => $"{s.Name} {s.State} {s.Message}"))}\n{site.Logs()}");
            _fastest = clock.Elapsed < _fastest ? clock.Elapsed : _fastest;
            var reference = new Reference(site.Faults.Units(), [.. steps.Select(Result)]);
            if (_reference is not null && !_reference.Results.SequenceEqual(reference.Results))
                throw new InvalidOperationException(
                    $"Two undisturbed runs differ:\n{string.Join('\n', _reference.Results)}\n{string.Join('\n', reference.Results)}");
            _reference = reference;
        }
        _consumers = await site.Servers.Broker.ConsumersAsync();
        say($"undisturbed on {site.Store}: {_fastest.TotalSeconds:0.0} s, {_reference!.Results.Count} steps, {_reference.Units} units saved, "
            + $"{_consumers.Count(queue => queue.Value > 0)} durable queues with consumers");
    }

    private async Task<PointOutcome> RunAsync(Site site, CrashPoint point)
    {
        var model = $"point-{point.Store}-{point.Number}-{Guid.NewGuid().ToString("n")[..4]}".ToLowerInvariant();
        RecordReached(site);
        await site.ResetAsync(point.Disruption == Disruption.Fault ? point.Fault : "");
        var clock = Stopwatch.StartNew();
        var striking = point.Disruption == Disruption.Fault ? Task.FromResult(true) : ApplyLaterAsync(site, point);
        var run = await site.SubmitAsync(MicroPipeline.Write(site.TextFile, model), Limit);
        var state = await site.Ledger.WaitForEndAsync(run, Limit);
        var duration = clock.Elapsed;
        _fastest = duration < _fastest ? duration : _fastest;
        var struck = await striking && (point.Disruption != Disruption.Fault || site.Faults.HasFired);
        var outcome = await CheckAsync(site, point, run, state, model, duration, struck);
        // A run that hangs must not stand in the way of the next point.
        if (!SiteLedger.IsEnd(state))
        {
            await site.CancelAsync(run);
            await site.Ledger.WaitForEndAsync(run, Limit);
        }
        return outcome;
    }

    private async Task<bool> ApplyLaterAsync(Site site, CrashPoint point)
    {
        // The generated time is a share of a nominal run of 2.5 s.
        await Task.Delay(point.After * (_fastest.TotalSeconds / 2.5) * 0.9);
        return await Disruptor.ApplyAsync(site, point);
    }

    private async Task<PointOutcome> CheckAsync(Site site, CrashPoint point, Guid run, string state, string model, TimeSpan duration, bool struck)
    {
        var steps = await site.Ledger.StepsAsync(run);
        var successes = await site.Ledger.SuccessesAsync(run);
        var versions = await site.Ledger.VersionsAsync(model);
        var extraAttempts = steps.Sum(s => s.Attempts) - steps.Count;
        var extraUnits = site.Faults.Units() - _reference!.Units;
        var complaints = new List<string>();
        if (state != "succeeded")
            complaints.Add($"the run is {state}: {string.Join("; ", steps.Where(s => s.State != "succeeded").Select(s => $"{s.Name} {s.State} {s.Message}"))}");
        foreach (var (expected, found) in _reference.Results.Zip(steps.Select(Result)).Where(p => p.First != p.Second))
            complaints.Add($"expected {expected}, found {found}");
        foreach (var (step, times) in successes.Where(s => s.Value != 1))
            complaints.Add($"{step} succeeded {times} times");
        if (versions != 1)
            complaints.Add($"{versions} versions registered");
        if (extraUnits > extraAttempts)
            complaints.Add($"{extraUnits} units done again in {extraAttempts} more attempts");
        if (point.Disruption == Disruption.RestartBroker)
            complaints.AddRange(await FindDeafQueuesAsync(site));
        if (!struck)
            complaints.Add("it was never struck");
        return new PointOutcome(point, struck, duration, extraAttempts, extraUnits, complaints);
    }

    /// <summary>After a restart every queue must get back as many consumers as it had in undisturbed runs.</summary>
    private async Task<IReadOnlyList<string>> FindDeafQueuesAsync(Site site)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var found = await site.Servers.Broker.ConsumersAsync();
            var deaf = _consumers.Where(queue => queue.Value > found.GetValueOrDefault(queue.Key)).ToList();
            if (deaf.Count == 0)
                return [];
            if (clock.Elapsed > ConsumerLimit)
                return [.. deaf.Select(queue => $"queue {queue.Key} has {found.GetValueOrDefault(queue.Key)} of {queue.Value} consumers")];
            await Task.Delay(200);
        }
    }

    private void RecordReached(Site site) => _reached.UnionWith(site.Faults.Count().Keys.Select(k => k.Split('@')[1]));

    private static string Result(LedgerStep step) => $"{step.Name} {step.State} {step.Outputs}";

    private sealed record Reference(int Units, IReadOnlyList<string> Results);
}
