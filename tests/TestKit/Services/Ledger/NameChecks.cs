using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>What must hold of runs' names in any database.</summary>
internal static class NameChecks
{
    /// <summary>Many runs of two names, submitted at once, are counted by name without gaps or repeats, and found by what they are called.</summary>
    public static async Task ManyAtOnceAsync(LedgerFixture ledger)
    {
        const int Each = 15;
        await Task.WhenAll(Enumerable.Range(0, 2 * Each).Select(i => Task.Run(() => SubmitAsync(ledger, i % 2 == 0 ? "tiny" : "a #b"))));

        var runs = await ledger.Reader.ListAsync(new RunQuery(), default);

        foreach (var name in new[] { "tiny", "a #b" })
            runs.Where(r => r.Name == name).Select(r => r.Ordinal).Order().ShouldBe(Enumerable.Range(1, Each).Select(n => (long)n), name);
        foreach (var run in runs)
        {
            run.Label.ShouldBe($"{run.Name}#{run.Ordinal}");
            (await ledger.Reader.ListAsync(RunQuery.ByLabel(run.Label)!, default)).ShouldHaveSingleItem().RunId.ShouldBe(run.RunId);
            (await ledger.Reader.FindAsync(run.RunId, default))!.Label.ShouldBe(run.Label);
            (await ledger.Runs.FindLabelAsync(run.RunId, default)).ShouldBe(run.Label);
        }
    }

    /// <summary>A run keeps its name in the archive, and its number is never given again, though its row is gone.</summary>
    public static async Task ArchivedAsync(LedgerFixture ledger)
    {
        var run = await SubmitAsync(ledger, "tiny");
        await ledger.Runs.CancelAsync(new CancelRun(run, "enough"), default);
        var archiver = ledger.NewArchiver();
        while (await archiver.RunOnceAsync(default))
        {
        }
        (await ledger.Database.ReadAsync(c => c.ExecuteScalarAsync<long>("select count(*) from run"), default)).ShouldBe(0);

        var next = await SubmitAsync(ledger, "tiny");

        (await ledger.Reader.FindAsync(next, default))!.Label.ShouldBe("tiny#2");
        (await ledger.Reader.FindAsync(run, default))!.Label.ShouldBe("tiny#1");
        var archived = await ledger.Reader.ListAsync(RunQuery.ByLabel("tiny#1")! with { IsArchived = true }, default);
        (archived.ShouldHaveSingleItem().RunId, archived[0].Label).ShouldBe((run, "tiny#1"));
    }

    private static async Task<Guid> SubmitAsync(LedgerFixture ledger, string name)
    {
        var id = Guid.CreateVersion7();
        await ledger.Runs.SubmitAsync(new SubmitRun { RunId = id, Pipeline = "" }, LedgerFixture.Plan("a") with { Name = name }, default);
        return id;
    }
}
