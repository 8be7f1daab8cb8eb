using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.Triggers;
using Espalier.Pipelines.Planning;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers;

/// <summary>What becomes of an event.</summary>
public sealed class TriggerTests : IAsyncLifetime
{
    private const string Registered = "nightly.model.registered";
    private readonly TriggerFixture _triggers = new();

    public Task InitializeAsync() => _triggers.StartAsync();

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Event_ThatMatches_StartsARunWithItsParametersAndCause()
    {
        await _triggers.AddAsync("model.registered: { when: 'event.model == \"demo\"', params: { text: '${event.model} v${event.version}' }, priority: 7 }");

        await _triggers.RegisterAsync("demo", 3);
        await _triggers.RoundAsync();

        var run = (await _triggers.RunsAsync()).ShouldHaveSingleItem();
        (run.Pipeline, run.PipelineVersion, run.Owner).ShouldBe(("nightly", 1, TriggerFixture.Owner));
        run.Cause!.ShouldSatisfyAllConditions(
            c => (c.Trigger, c.Event, c.Kind, c.Depth).ShouldBe((Registered, 1, "model.registered", 1)), c => c.Chain.ShouldBe([Registered]));
        (await _triggers.ParametersAsync(run.RunId)).ShouldBe("""{"text":"demo v3"}""");
        (await _triggers.Ledger.CountAsync("select priority from step")).ShouldBe(7);
        (await _triggers.FiringsAsync("nightly")).ShouldHaveSingleItem().Run.ShouldBe(run.RunId);
    }

    [Fact]
    public async Task Event_RunOfItsGroupIsUnderWay_SaysWhichRunItsOwnWaitsFor()
    {
        await _triggers.AddAsync("model.registered: { concurrency: { group: one, policy: queue } }");
        for (var version = 1; version <= 3; version++)
            await _triggers.RegisterAsync(version: version);
        await _triggers.RoundAsync();
        var run = (await _triggers.RunsAsync()).ShouldHaveSingleItem();

        var firings = await _triggers.FiringsAsync("nightly");
        firings[0].Wait.ShouldBeNull();
        (firings[1].Wait!.Reason, firings[1].Wait!.Text).ShouldBe(
            (WaitReason.ConcurrencyGroup, $"Waits for {run.Label} (queued) of group 'one' to end; it is next."));
        firings[2].Wait!.Text.ShouldBe($"Waits for {run.Label} (queued) of group 'one' to end; 1 run is ahead of it.");

        await _triggers.EndRunsAsync();
        await _triggers.RoundAsync();

        // Of the next run now, not of the one that it began to wait for.
        var next = (await _triggers.RunsAsync())[1];
        (await _triggers.FiringsAsync("nightly"))[2].Wait!.Text.ShouldStartWith($"Waits for {next.Label} (queued)");
        var shown = (await _triggers.Triggers.EventsAsync(null, 10, default)).SelectMany(e => e.Firings).Where(f => f.Wait is not null);
        shown.ShouldHaveSingleItem().Event.ShouldBe(3);
    }

    [Fact]
    public async Task Event_ToldTwice_StartsOneRun()
    {
        await _triggers.AddAsync("model.registered: {}");

        (await _triggers.RegisterAsync(key: "registry/1")).ShouldBeTrue();
        await _triggers.RoundAsync();
        (await _triggers.RegisterAsync(key: "registry/1")).ShouldBeFalse();
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Event_ManyEnginesAtOnce_EachStartsOneRun()
    {
        await _triggers.AddAsync("model.registered: {}");
        for (var version = 1; version <= 20; version++)
            await _triggers.RegisterAsync(version: version);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(_triggers.RoundAsync)));
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Select(r => r.Cause!.Event).Order().ShouldBe(Enumerable.Range(1, 20).Select(i => (long)i));
    }

    [Fact]
    public async Task Event_BeforeTheTrigger_IsNotIts()
    {
        await _triggers.AddAsync("model.registered: {}", "other");
        await _triggers.RegisterAsync();
        await _triggers.AddAsync("model.registered: {}");
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).ShouldHaveSingleItem().Pipeline.ShouldBe("other");
    }

    [Theory]
    [InlineData("model.registered: { model: olmoe }", FiringState.NoMatch, "model is 'demo', and the trigger asks for 'olmoe'")]
    [InlineData("model.registered: { when: 'event.version > 3' }", FiringState.NoMatch, "when: event.version > 3: is false")]
    [InlineData("model.registered: { when: 'event.version == \"1\"' }", FiringState.Refused,
        "when: event.version == \"1\": it compares the number 1 with the text \"1\".")]
    public async Task Event_ThatDoesNotMatch_SaysWhy(string on, FiringState state, string reason)
    {
        await _triggers.AddAsync(on);

        await _triggers.RegisterAsync();
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).ShouldBeEmpty();
        var firing = (await _triggers.Triggers.EventsAsync(null, 10, default)).ShouldHaveSingleItem().Firings.ShouldHaveSingleItem();
        (firing.State, firing.Reason).ShouldBe((state, reason));
    }

    [Fact]
    public async Task Quota_UsedUp_RefusesUntilTheHourIsOver()
    {
        await _triggers.AddAsync("model.registered: { quota: { runs: 2, per: hour } }");

        for (var version = 1; version <= 3; version++)
            await _triggers.RegisterAsync(version: version);
        await _triggers.RoundAsync();
        _triggers.Ledger.Clock.Advance(TimeSpan.FromMinutes(61));
        await _triggers.RegisterAsync(version: 4);
        await _triggers.RoundAsync();

        (await _triggers.FiringsAsync(Registered)).Select(f => f.State).ShouldBe(
            [FiringState.Started, FiringState.Started, FiringState.Refused, FiringState.Started]);
        (await _triggers.FiringsAsync(Registered))[2].Reason.ShouldBe("The quota of 2 runs an hour is used up.");
    }

    [Fact]
    public async Task Debounce_EventsInARow_StartOneRunForTheLast()
    {
        await _triggers.AddAsync("model.registered: { debounce: 30s, params: { text: 'v${event.version}' } }");

        for (var version = 1; version <= 3; version++)
        {
            await _triggers.RegisterAsync(version: version);
            await _triggers.RoundAsync();
            _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(20));
        }
        (await _triggers.RunsAsync()).ShouldBeEmpty("events still come");
        _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(11));
        await _triggers.RoundAsync();

        (await _triggers.ParametersAsync((await _triggers.RunsAsync()).ShouldHaveSingleItem().RunId)).ShouldBe("""{"text":"v3"}""");
        (await _triggers.FiringsAsync(Registered))[0].Reason.ShouldBe("Event #2 came after it, before its run was started.");
    }

    [Fact]
    public async Task DedupeKey_SameAgain_StartsNothing()
    {
        await _triggers.AddAsync("model.registered: { dedupe-key: '${event.model}' }");

        await _triggers.RegisterAsync("demo", 1);
        await _triggers.RegisterAsync("demo", 2);
        await _triggers.RegisterAsync("other", 1);
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(2);
        (await _triggers.FiringsAsync(Registered))[1].Reason.ShouldBe("Event #1 had the same key 'demo'.");
    }

    [Fact]
    public async Task Concurrency_Queue_RunsOneAfterTheOther()
    {
        await _triggers.AddAsync("model.registered: { concurrency: { group: 'g-${event.model}', policy: queue } }");
        await _triggers.RegisterAsync("demo", 1);
        await _triggers.RegisterAsync("demo", 2);
        await _triggers.RegisterAsync("other", 1);

        await _triggers.RoundAsync();
        (await _triggers.RunsAsync()).Select(r => r.Cause!.Event).ShouldBe([1, 3]);
        await _triggers.EndRunsAsync();
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Select(r => r.Cause!.Event).ShouldBe([1, 3, 2]);
    }

    [Fact]
    public async Task Concurrency_Skip_DropsWhatComesMeanwhile()
    {
        await _triggers.AddAsync("model.registered: { concurrency: { group: g, policy: skip } }");

        for (var version = 1; version <= 2; version++)
        {
            await _triggers.RegisterAsync(version: version);
            await _triggers.RoundAsync();
        }

        var run = (await _triggers.RunsAsync()).ShouldHaveSingleItem();
        (await _triggers.FiringsAsync(Registered))[1].Reason.ShouldBe($"Run {run.RunId} of group 'g' was under way.");
    }

    [Fact]
    public async Task Concurrency_CancelInProgress_LetsTheNewestRun()
    {
        await _triggers.AddAsync("model.registered: { concurrency: { group: g, policy: cancel-in-progress } }");

        for (var version = 1; version <= 3; version++)
        {
            await _triggers.RegisterAsync(version: version);
            await _triggers.RoundAsync();
        }

        var runs = await _triggers.RunsAsync();
        runs.Select(r => (r.Cause!.Event, r.State)).ShouldBe([(1, RunState.Cancelled), (4, RunState.Queued)], "event 3 is that run 1 was cancelled");
        (await _triggers.FiringsAsync(Registered))[1].State.ShouldBe(FiringState.Skipped, "event 4 came while it waited for run 1 to end");
        runs[0].Message.ShouldBe("Cancel requested: event #2 starts a newer run of group 'g'");
    }

    [Fact]
    public async Task Owner_WhoseKeysAreRevoked_StartsNothing()
    {
        await _triggers.AddAsync("model.registered: {}");
        await _triggers.Keys.CreateAsync("root", Espalier.Hosting.Authentication.ApiRole.Admin, default);
        await _triggers.Keys.RevokeAsync(TriggerFixture.Owner, default);
        await _triggers.RegisterAsync();
        await _triggers.RoundAsync();
        (await _triggers.Triggers.ListAsync(default)).ShouldHaveSingleItem().Stopped.ShouldBe(
            "Its owner 'ada' has no key that may start runs, so it starts nothing.");
        await _triggers.Keys.CreateAsync(TriggerFixture.Owner, Espalier.Hosting.Authentication.ApiRole.Viewer, default);
        await _triggers.RegisterAsync(version: 2);
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).ShouldBeEmpty();
        (await _triggers.FiringsAsync(Registered)).Select(f => f.Reason.Split(':')[0]).ShouldBe(
            ["Its owner 'ada' has no key any more", "Its owner 'ada' may not start runs any more."]);
    }

    [Fact]
    public async Task Switch_Off_StartsNothing_AndOnAgainOnlyWhatComesThen()
    {
        await _triggers.AddAsync("model.registered: {}");

        await _triggers.Triggers.SwitchAsync("nightly", false, default);
        await _triggers.RegisterAsync(version: 1);
        await _triggers.RoundAsync();
        await _triggers.Triggers.SwitchAsync("nightly", true, default);
        await _triggers.RegisterAsync(version: 2);
        await _triggers.RoundAsync();

        (await _triggers.FiringsAsync(Registered)).Select(f => (f.State, f.Reason)).ShouldBe(
            [(FiringState.Refused, $"The trigger is off: espalier trigger enable {Registered}."), (FiringState.Started, "")]);
    }

    [Fact]
    public async Task Failures_FiveInARow_PauseTheTriggerUntilItIsSwitchedOn()
    {
        await _triggers.AddAsync("model.registered: {}");

        for (var version = 1; version <= 6; version++)
        {
            await _triggers.RegisterAsync(version: version);
            await _triggers.RoundAsync();
            await _triggers.EndRunsAsync(isSuccess: false);
        }

        var runs = await _triggers.RunsAsync();
        var paused = (await _triggers.Triggers.ShowAsync("nightly", 10, default))!;
        (runs.Count, paused.Failures).ShouldBe((5, 5));
        paused.Paused.ShouldBe(
            $"Paused after 5 failures in a row; the last was {runs[^1].RunId}. Find out why, then switch it on again: espalier trigger enable {Registered}.");
        (await _triggers.Triggers.SwitchAsync("nightly", true, default))!.ShouldSatisfyAllConditions(
            t => t.Paused.ShouldBe(""), t => t.Failures.ShouldBe(0));
    }

    [Fact]
    public async Task Loop_OfTwoPipelines_EndsAtTheDepthAndSaysSo()
    {
        await _triggers.AddAsync("run.succeeded: { pipeline: pong, max-depth: 4 }, webhook: { secret: s }", "ping");
        await _triggers.AddAsync("run.succeeded: { pipeline: ping, max-depth: 4 }", "pong");

        await _triggers.HappenAsync("run.succeeded", new { pipeline = "pong", version = 0, run = "", trigger = "", message = "" });
        for (var round = 0; round < 8; round++)
        {
            await _triggers.RoundAsync();
            await _triggers.EndRunsAsync();
        }

        var runs = await _triggers.RunsAsync();
        runs.Select(r => (r.Pipeline, r.Cause!.Depth)).ShouldBe([("ping", 1), ("pong", 2), ("ping", 3), ("pong", 4)]);
        runs[3].Cause!.Chain.ShouldBe(["ping.run.succeeded", "pong.run.succeeded", "ping.run.succeeded", "pong.run.succeeded"]);
        (await _triggers.FiringsAsync("ping.run.succeeded"))[^1].ShouldSatisfyAllConditions(
            f => f.State.ShouldBe(FiringState.Refused),
            f => f.Reason.ShouldStartWith("The chain of pipelines that start each other would be 5 long, and max-depth is 4: ping.run.succeeded → pong."));
    }

    [Fact]
    public async Task Run_Cancelled_IsAnEventInTheTransactionThatEndsIt_AndNoFailure()
    {
        await _triggers.AddAsync("model.registered: { pause-after: 1 }");
        await _triggers.AddAsync("run.cancelled: { pipeline: nightly, params: { text: '${event.message}' } }", "cleanup");
        await _triggers.RegisterAsync();
        await _triggers.RoundAsync();
        var run = (await _triggers.RunsAsync()).Single().RunId;

        await _triggers.Ledger.Runs.CancelAsync(new CancelRun(run, "not wanted"), default);

        (await _triggers.Ledger.RunAsync(run)).State.ShouldBe(RunState.Cancelled);
        var happened = (await _triggers.Triggers.EventsAsync("run.cancelled", 10, default)).ShouldHaveSingleItem("nobody had to look first");
        (happened.Fields.GetProperty("run").GetString(), happened.Chain.ShouldHaveSingleItem()).ShouldBe((run.ToString(), Registered));
        await _triggers.RoundAsync();
        var cleanup = (await _triggers.RunsAsync()).Single(r => r.Pipeline == "cleanup");
        (cleanup.Cause!.Depth, await _triggers.ParametersAsync(cleanup.RunId)).ShouldBe((2, """{"text":"Cancel requested: not wanted"}"""));
        (await _triggers.Triggers.ShowAsync(Registered, 0, default))!.ShouldSatisfyAllConditions(t => t.Failures.ShouldBe(0), t => t.Paused.ShouldBe(""));
        (await _triggers.Replays.RunAsync("cleanup", 10, default))!.Items.ShouldHaveSingleItem().State.ShouldBe(FiringState.Started);
    }

    [Fact]
    public async Task Plan_RegistryAway_WaitsAndGoesOnWhenItIsBack()
    {
        await _triggers.AddAsync("model.registered: {}");
        var planner = _triggers.Planner;
        _triggers.Planner = new BrokenPlanner(new UserInputException("The registry does not answer.", new TimeoutException()));

        await _triggers.RegisterAsync();
        await _triggers.RoundAsync();
        (await _triggers.FiringsAsync("nightly")).ShouldHaveSingleItem().Reason.ShouldBe("Will be tried again: The registry does not answer.");
        _triggers.Planner = planner;
        await _triggers.RoundAsync();
        (await _triggers.RunsAsync()).ShouldBeEmpty("it is not tried without end");
        _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(2));
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Plan_Wrong_RefusesTheEventWithEveryProblem()
    {
        await _triggers.AddAsync("model.registered: {}");
        _triggers.Planner = new BrokenPlanner(new UserInputException([new Problem("nightly.yaml", 3, 1, "there is no model 'demo@gone'")]));

        await _triggers.RegisterAsync();
        await _triggers.RoundAsync();

        (await _triggers.FiringsAsync("nightly")).ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            f => f.State.ShouldBe(FiringState.Refused), f => f.Reason.ShouldBe("nightly.yaml:3:1: there is no model 'demo@gone'"));
        (await _triggers.Triggers.ListAsync(default)).ShouldHaveSingleItem().Failures.ShouldBe(1);
    }

    [Fact]
    public async Task Trigger_ThatCannotBeRead_SaysSoAndTheOthersGoOn()
    {
        await _triggers.AddAsync("model.registered: {}, schedule: '* * * * *'");
        await _triggers.AddAsync("model.registered: {}, schedule: '* * * * *'", "other");
        await _triggers.Ledger.Database.WriteAsync(
            transaction => transaction.ExecuteAsync("update pipeline_trigger set settings = '{\"when\":[' where pipeline = 'nightly'"), default);

        await _triggers.RegisterAsync();
        _triggers.Ledger.Clock.Advance(TimeSpan.FromMinutes(1));
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Select(r => r.Pipeline).ShouldBe(["other", "other"]);
        (await _triggers.Triggers.EventsAsync("model.registered", 1, default))[0].Firings.Single(f => f.Trigger == Registered).Reason
            .ShouldStartWith($"The settings of trigger '{Registered}' cannot be read: add its pipeline again.");
        (await _triggers.Triggers.ListAsync(default)).Count.ShouldBe(4);
    }

    [Fact]
    public async Task Dataset_ThatARunMade_IsAnEvent()
    {
        await _triggers.AddAsync("dataset.added: { params: { text: '${event.root}' } }");
        var made = new ManifestRef(ArtifactKind.Dataset, Digest.Of("data"u8), 1);

        for (var i = 0; i < 2; i++)
        {
            await _triggers.Ledger.SubmitAsync("corpus");
            await _triggers.Ledger.PrepareAsync();
            var step = (await _triggers.Ledger.ClaimAsync())!;
            var finished = TestKit.Services.Ledger.LedgerFixture.Finished(step) with
            {
                Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Data] = made },
            };
            await _triggers.Ledger.Steps.FinishAsync(finished, default);
        }
        await _triggers.RoundAsync();

        (await _triggers.RunsAsync()).Count(r => r.Pipeline == "nightly").ShouldBe(1, "the same dataset again is no news");
    }

    private sealed class BrokenPlanner(Exception error) : IRunPlanner
    {
        public Task<PipelinePlan> PlanAsync(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, CancellationToken cancellationToken) =>
            Task.FromException<PipelinePlan>(error);
    }
}
