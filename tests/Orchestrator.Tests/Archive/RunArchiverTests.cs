using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.TestKit.Services.Ledger;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Archive;

/// <summary>Runs that ended long ago leave the tables that everything goes by, and nothing is lost. The same on PostgreSQL in the integration tests.</summary>
public sealed class RunArchiverTests
{
    private static readonly TimeSpan TwoDays = TimeSpan.FromDays(2);

    [Fact]
    public async Task Archive_KilledAfterEveryBatch_EveryRunReadsTheSame()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options);

        await ArchiveChecks.KilledAfterEveryBatchAsync(ledger);
    }

    [Fact]
    public async Task Archived_AskedToGoOn_SaysWhyNot()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options);

        await ArchiveChecks.AskedToGoOnAsync(ledger);
    }

    [Fact]
    public async Task Archive_NoHistoryIsSet_KeepsEveryRun()
    {
        using var ledger = new LedgerFixture();
        await EndAsync(ledger);
        ledger.Clock.Advance(TimeSpan.FromDays(5000));

        (await ledger.NewArchiver().RunOnceAsync(default)).ShouldBeFalse();

        (await ledger.CountAsync("select count(*) from run")).ShouldBe(1);
        (await ledger.CountAsync("select count(*) from run_archive")).ShouldBe(0);
    }

    [Fact]
    public async Task Archive_EndIsStillToBeTold_WaitsForThat()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options);
        await EndAsync(ledger, new PlannedNotice(RunState.Succeeded, "ops"));
        ledger.Clock.Advance(TwoDays);

        await ledger.NewArchiver().RunOnceAsync(default);
        (await ledger.CountAsync("select count(*) from run_archive")).ShouldBe(0);
        await ledger.Database.WriteAsync(t => t.ExecuteAsync("update notice set state = 'sent'"), default);
        await ledger.NewArchiver().RunOnceAsync(default);

        (await ledger.CountAsync("select count(*) from run_archive")).ShouldBe(1);
        (await ledger.CountAsync("select count(*) from notice")).ShouldBe(0);
    }

    [Fact]
    public async Task Archive_ResumedRun_IsNotArchivedUntilItEndsAgain()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options);
        await ledger.AdvertiseAsync();
        var run = await ledger.SubmitAsync("a");
        await ledger.Runs.CancelAsync(new CancelRun(run, "test"), default);
        ledger.Clock.Advance(TwoDays);
        await ledger.Runs.ResumeAsync(run, default);

        await ledger.NewArchiver().RunOnceAsync(default);

        (await ledger.RunAsync(run)).Archived.ShouldBeNull();
    }

    [Fact]
    public async Task Archive_DamagedRun_StaysAndTheOthersAreArchived()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options);
        var damaged = await EndAsync(ledger);
        var sound = await EndAsync(ledger);
        await ledger.Database.WriteAsync(t => t.ExecuteAsync("update step set plan = '{' where run_id = @id", new { id = $"{damaged}" }), default);
        ledger.Clock.Advance(TwoDays);
        var archiver = ledger.NewArchiver();

        await archiver.RunOnceAsync(default);
        await archiver.RunOnceAsync(default);

        (await ledger.RunAsync(sound)).Archived.ShouldNotBeNull();
        (await ledger.CountAsync($"select count(*) from step where run_id = '{damaged}'")).ShouldBe(1);
    }

    [Fact]
    public async Task Event_OfAnArchivedRun_StartsNoSecondRunAndGoesOnItsChain()
    {
        using var triggers = await new TriggerFixture().StartAsync();
        triggers.Ledger.Options.RunHistory = TimeSpan.FromDays(1);
        await triggers.AddAsync("model.registered: { dedupe-key: '${event.model}' }");
        await triggers.AddAsync("alias.moved: {}", "second");
        await triggers.RegisterAsync(key: "registry/1");
        await triggers.RoundAsync();
        await triggers.EndRunsAsync();
        var run = (await triggers.RunsAsync()).ShouldHaveSingleItem();
        triggers.Ledger.Clock.Advance(TwoDays);
        await triggers.Ledger.AdvertiseAsync();
        await triggers.StartAsync();

        while (await triggers.Ledger.NewArchiver().RunOnceAsync(default))
        {
            // Until it is archived.
        }
        (await triggers.RegisterAsync(key: "registry/1")).ShouldBeFalse("it is known");
        (await triggers.RegisterAsync()).ShouldBeTrue("another event, with the same key for the trigger");
        await triggers.HappenAsync("alias.moved", new { model = "demo", alias = "stable", version = 1 }, run: run.RunId);
        await triggers.RoundAsync();

        (await triggers.Ledger.RunAsync(run.RunId)).Archived.ShouldNotBeNull();
        var next = (await triggers.RunsAsync()).ShouldHaveSingleItem();
        next.Pipeline.ShouldBe("second");
        next.Cause!.Chain.ShouldBe(["nightly.model.registered", "second.alias.moved"]);
        (await triggers.FiringsAsync("nightly"))[0].Run.ShouldBe(run.RunId);
    }

    [Theory]
    [InlineData("00:30:00", false)]
    [InlineData("90.00:00:00", true)]
    public void RunHistory_OutOfRange_IsNamed(string history, bool isGood)
    {
        var options = new OrchestratorOptions { RunHistory = TimeSpan.Parse(history, System.Globalization.CultureInfo.InvariantCulture) };

        var problems = isGood ? [] : Should.Throw<UserInputException>(options.Validate).Problems.Select(p => p.Place).ToList();

        problems.ShouldBe(isGood ? [] : ["orchestrator:run-history"]);
        if (isGood)
            options.Validate();
    }

    private static async Task<Guid> EndAsync(LedgerFixture ledger, params PlannedNotice[] notices)
    {
        await ledger.AdvertiseAsync();
        var run = Guid.NewGuid();
        await ledger.Runs.SubmitAsync(new SubmitRun { RunId = run, Pipeline = "" }, LedgerFixture.Plan("a") with { Notices = notices }, default);
        await ledger.PrepareAsync();
        await ledger.Steps.FinishAsync(LedgerFixture.Finished((await ledger.ClaimAsync())!), default);
        return run;
    }
}
