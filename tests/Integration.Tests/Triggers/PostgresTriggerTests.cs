using System.Globalization;
using Espalier.Contracts;
using Espalier.Integration.Tests.Distributed;
using Espalier.Orchestrator.Triggers;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Triggers;
using Microsoft.AspNetCore.Http;

namespace Espalier.Integration.Tests.Triggers;

/// <summary>The promises of triggers on a real PostgreSQL, where transactions do run at the same time.</summary>
[Collection(ServersCollection.Name)]
public sealed class PostgresTriggerTests(BrokerAndDatabase servers)
{
    private const string Secret = "correct-horse-battery-staple";

    [Fact]
    public async Task Event_ManyEnginesAndTellersAtOnce_EachStartsOneRun()
    {
        using var triggers = await new TriggerFixture(await servers.Database.NewDatabaseAsync()).StartAsync();
        await triggers.AddAsync("model.registered: { params: { text: 'v${event.version}' } }");
        await triggers.AddAsync("model.registered: { when: 'event.version > 20' }", "half");

        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            for (var version = 1; version <= 40; version++)
            {
                await triggers.RegisterAsync(version: version, key: $"registry/{version}");
                if (version % 5 == 0)
                    await triggers.RoundAsync();
            }
        })));
        await triggers.RoundAsync();

        var runs = await triggers.RunsAsync();
        runs.Select(r => (r.Pipeline, r.Cause!.Event)).ShouldBeUnique();
        runs.CountBy(r => r.Pipeline!).ToDictionary().ShouldBe(new Dictionary<string, int> { ["nightly"] = 40, ["half"] = 20 }, ignoreOrder: true);
    }

    [Fact]
    public async Task Groups_EnginesAtOnce_NeverRunTwoTogether()
    {
        using var triggers = await new TriggerFixture(await servers.Database.NewDatabaseAsync()).StartAsync();
        await triggers.AddAsync("model.registered: { concurrency: { group: g, policy: queue } }");
        for (var version = 1; version <= 5; version++)
            await triggers.RegisterAsync(version: version);

        for (var round = 1; round <= 5; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(triggers.RoundAsync)));
            (await triggers.RunsAsync()).Count(r => r.State == RunState.Queued).ShouldBe(1);
            await triggers.EndRunsAsync();
        }

        (await triggers.RunsAsync()).Count.ShouldBe(5);
    }

    [Fact]
    public async Task Policies_OfEveryKind_WorkHereToo()
    {
        using var triggers = await new TriggerFixture(
            await servers.Database.NewDatabaseAsync(), new Dictionary<string, string?> { ["secrets:push"] = Secret }).StartAsync();
        await triggers.AddAsync("model.registered: { concurrency: { group: g, policy: cancel-in-progress } }", "newest");
        await triggers.AddAsync("model.registered: { debounce: 10s, quota: { runs: 1, per: day }, dedupe-key: '${event.model}' }", "rare");
        await triggers.AddAsync("schedule: { cron: '* * * * *', catch-up: all }, webhook: { secret: push }", "timed");
        await triggers.AddAsync("run.failed: { pipeline: newest, params: { text: '${event.message}' } }", "repair");

        for (var version = 1; version <= 3; version++)
        {
            await triggers.RegisterAsync(version: version);
            await triggers.RoundAsync();
            triggers.Ledger.Clock.Advance(TimeSpan.FromMinutes(1));
            await triggers.RoundAsync();
        }
        await triggers.Hooks.ReceiveAsync("timed", Signed(triggers, "{\"a\":1}"), "{\"a\":1}", default);
        await triggers.RoundAsync();
        await triggers.StartAsync(); // the worker is heard from again
        await triggers.EndRunsAsync(isSuccess: false);
        await triggers.RoundAsync();

        var runs = (await triggers.RunsAsync()).CountBy(r => r.Pipeline!).ToDictionary();
        runs.ShouldBe(new Dictionary<string, int> { ["newest"] = 3, ["rare"] = 1, ["timed"] = 4, ["repair"] = 1 }, ignoreOrder: true);
        (await triggers.Triggers.EventsAsync("model.registered", 10, default)).Count.ShouldBe(3);
        (await triggers.Replays.RunAsync("rare", 10, default))!.Items.Select(i => (i.State, i.Reason)).ShouldBe(
            (await triggers.FiringsAsync("rare.model.registered")).Select(f => (f.State, f.Reason)));
        (await triggers.Pipelines.RemoveAsync("timed", TriggerFixture.Owner, false, default)).ShouldBeTrue();
        triggers.Ledger.Clock.Advance(TimeSpan.FromDays(91));
        await triggers.History.ForgetAsync(default);
        (await triggers.Triggers.EventsAsync(null, 10, default)).ShouldBeEmpty("what is old is forgotten");
    }

    private static HeaderDictionary Signed(TriggerFixture triggers, string body)
    {
        var timestamp = triggers.Ledger.Clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return new HeaderDictionary { [HookSignature.Timestamp] = timestamp, [HookSignature.Signature] = HookSignature.Sign(Secret, timestamp, body) };
    }
}
