using Espalier.Contracts;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;
using Espalier.Pipelines.Resolution;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>What the archive of runs promises, on any database.</summary>
internal static class ArchiveChecks
{
    private static readonly TimeSpan History = TimeSpan.FromDays(1);

    /// <summary>Settings under which runs are archived.</summary>
    public static OrchestratorOptions Options => new() { RunHistory = History };

    /// <summary>Archives runs with a process that is killed after every few rows: whoever looks sees each run as it was, all the time.</summary>
    public static async Task KilledAfterEveryBatchAsync(LedgerFixture ledger)
    {
        await ledger.AdvertiseAsync();
        var old = await EndedAsync(ledger);
        ledger.Clock.Advance(History * 2);
        await ledger.AdvertiseAsync();
        var young = await ledger.SubmitAsync("young");
        await DrainAsync(ledger);
        StepEstimate[] estimates = [new("a", StepDecision.Runs, 1.5, 100, null)];
        await ledger.Database.WriteAsync(t => t.ExecuteAsync(
            "insert into run_estimate (run_id, body) values (@id, @body)", new { id = old[0].ToString(), body = JsonColumn.Write(estimates) }), default);
        var open = await ledger.SubmitAsync([.. Enumerable.Range(0, 40).Select(i => $"s{i}")]);
        await ledger.PrepareAsync();
        var before = new Dictionary<Guid, string>();
        foreach (var run in old)
            before[run] = await DescribeAsync(ledger, run);

        var (isMore, batches) = (true, 0);
        while (isMore)
        {
            // Another process each time: nothing is kept but what is in the ledger.
            isMore = await ledger.NewArchiver(rowsAtOnce: 3).RunOnceAsync(default);
            batches++;
            foreach (var run in old)
                (await DescribeAsync(ledger, run)).ShouldBe(before[run]);
            if (batches < 20)
                (await ledger.ClaimAsync($"w{batches}")).ShouldNotBeNull("claims go on").Run.ShouldBe(open);
        }

        batches.ShouldBeGreaterThan(5);
        foreach (var (table, key) in new[] { ("run", "id"), ("step", "run_id"), ("step_need", "run_id"), ("event", "run_id"), ("run_estimate", "run_id") })
            (await ledger.CountAsync($"select count(*) from {table} where {key} not in ('{young}', '{open}')")).ShouldBe(0, table);
        (await ledger.Reader.ListAsync(100, default)).Select(r => r.RunId).ShouldBe([open, young]);
        var archived = await ledger.Reader.ListAsync(new RunQuery { IsArchived = true }, default);
        archived.Select(r => r.RunId).ShouldBe(old.Reverse());
        archived.ShouldAllBe(r => r.Archived != null && r.Steps.Count == 0 && r.Counts!.Values.Sum() == 3);
        (await ledger.Reader.ListAsync(new RunQuery { IsArchived = true, State = RunState.Failed }, default)).ShouldHaveSingleItem().RunId.ShouldBe(old[1]);
        (await ledger.Reader.ListAsync(new RunQuery { IsArchived = true, Before = old[1] }, default)).ShouldHaveSingleItem().RunId.ShouldBe(old[0]);
        (await ledger.Reader.FindStateAsync(old[1], default)).ShouldBe(RunState.Failed);
    }

    /// <summary>What is asked of an archived run that would change it.</summary>
    public static async Task AskedToGoOnAsync(LedgerFixture ledger)
    {
        await ledger.AdvertiseAsync();
        var old = await EndedAsync(ledger);
        ledger.Clock.Advance(History * 2);
        while (await ledger.NewArchiver().RunOnceAsync(default))
        {
            // Until all are archived.
        }

        (await ledger.Runs.ResumeAsync(old[0], default))!.State.ShouldBe(RunState.Succeeded);
        (await Should.ThrowAsync<RunArchivedException>(() => ledger.Runs.ResumeAsync(old[1], default))).Message.ShouldContain("was archived on 2026-01-03");
        (await ledger.Runs.CancelAsync(new CancelRun(old[1], "test"), default))!.State.ShouldBe(RunState.Failed);
        (await ledger.Runs.CancelAsync(new CancelRun(Guid.NewGuid(), "test"), default)).ShouldBeNull();
        // The same run is submitted again, by somebody who did not hear of it; and another one under its id.
        var plan = LedgerFixture.Plan("a", "b: a", "c: a b");
        (await ledger.Runs.SubmitAsync(new SubmitRun { RunId = old[0], Pipeline = "" }, plan, default)).ShouldBeFalse();
        await Should.ThrowAsync<RunIdTakenException>(() => ledger.Runs.SubmitAsync(new SubmitRun { RunId = old[0], Pipeline = "name: other" }, plan, default));
        (await ledger.CountAsync("select count(*) from run")).ShouldBe(0);
        // The next run comes after them all.
        await ledger.SubmitAsync("next");
        (await ledger.CountAsync("select number from run")).ShouldBe(4);
    }

    /// <summary>Three runs: one that succeeded, one that failed, one that was cancelled.</summary>
    private static async Task<IReadOnlyList<Guid>> EndedAsync(LedgerFixture ledger)
    {
        var runs = new List<Guid>();
        for (var i = 0; i < 3; i++)
        {
            runs.Add(await ledger.SubmitAsync("a", "b: a", "c: a b"));
            await ledger.PrepareAsync();
            if (i == 1)
                await ledger.Steps.FailAsync(LedgerFixture.Failed((await ledger.ClaimAsync())!, FailureClass.User), null, default);
            if (i == 2)
                await ledger.Runs.CancelAsync(new CancelRun(runs[i], "test"), default);
            await DrainAsync(ledger);
        }
        return runs;
    }

    private static async Task DrainAsync(LedgerFixture ledger)
    {
        do
        {
            while (await ledger.ClaimAsync() is { } step)
                await ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
        }
        while (await ledger.PrepareAsync() > 0);
    }

    /// <summary>Everything that the API says of a run, but since when it is archived.</summary>
    private static async Task<string> DescribeAsync(LedgerFixture ledger, Guid run) => JsonColumn.Write(new
    {
        Run = await ledger.RunAsync(run) with { Archived = null },
        Source = await ledger.Sources.FindAsync(run, default),
        Log = await ledger.Reader.ReadLogAsync(run, 0, 1000, default),
        More = await ledger.Reader.ReadLogAsync(run, 5, 3, default),
        Notices = await NoticesApi.ReadAsync(ledger.Database, run, default),
        Plan = (await ledger.Sources.FindPlanAsync(run, default)).ShouldNotBeNull().Select(s => s.Name),
        Estimates = await ledger.Sources.FindEstimatesAsync(run, default),
    });
}
