using Espalier.Orchestrator.Triggers;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers;

public sealed class TriggerReplaysTests : IAsyncLifetime
{
    private readonly TriggerFixture _triggers = new();

    public Task InitializeAsync() => _triggers.StartAsync();

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("model: demo, when: 'event.version > 5', params: { text: '${event.model} ${event.version}' }")]
    [InlineData("quota: { runs: 3, per: hour }, params: { text: '${event.version}' }")]
    [InlineData("dedupe-key: '${event.model}'")]
    [InlineData("debounce: 25s, params: { text: '${event.version}' }")]
    [InlineData("when: 'event.version / (event.version - 4) > 0 and event.model == \"demo\"', debounce: 7s, quota: { runs: 2, per: day }")]
    public async Task Replay_OfATriggerThatWasOn_IsWhatHappened(string settings)
    {
        await _triggers.AddAsync($"model.registered: {{ {settings} }}");
        for (var version = 1; version <= 30; version++)
        {
            await _triggers.RegisterAsync(version % 3 == 0 ? "other" : "demo", version);
            await _triggers.RoundAsync();
            _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(version % 5 * 10));
            await _triggers.Ledger.Catalog.ListAsync(default);
            await _triggers.RoundAsync();
        }
        _triggers.Ledger.Clock.Advance(TimeSpan.FromMinutes(1));
        await _triggers.RoundAsync();

        var replay = (await _triggers.Replays.RunAsync("nightly", 200, default))!;

        replay.Items.Count.ShouldBe(30);
        replay.Items.ShouldAllBe(i => i.Happened != null);
        replay.Items.Select(i => (i.Event, i.State, i.Reason, Text(i.Parameters)))
            .ShouldBe(replay.Items.Select(i => (i.Event, i.Happened!.State, i.Happened.Reason, Text(i.Happened.Parameters))));
        replay.Items.Count(i => i.State == FiringState.Started).ShouldBe((await _triggers.RunsAsync()).Count);
    }

    [Fact]
    public async Task Replay_OfANewTrigger_SeesEarlierEventsAndStartsNothing()
    {
        await _triggers.RegisterAsync("demo", 1);
        await _triggers.RegisterAsync("other", 1);
        await _triggers.AddAsync("model.registered: { model: demo }");

        var replay = (await _triggers.Replays.RunAsync("nightly.model.registered", 200, default))!;
        await _triggers.RoundAsync();

        replay.Items.Select(i => (i.State, i.Happened)).ShouldBe([(FiringState.Started, null), (FiringState.NoMatch, null)]);
        (await _triggers.RunsAsync()).ShouldBeEmpty();
        (await _triggers.Replays.RunAsync("weekly", 200, default)).ShouldBeNull();
    }

    private static string Text(IReadOnlyDictionary<string, string> parameters) => string.Join(' ', parameters.Select(p => $"{p.Key}={p.Value}"));
}
