using Espalier.Orchestrator.Triggers;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers;

public sealed class ScheduleClockTests : IAsyncLifetime
{
    private readonly TriggerFixture _triggers = new();

    public Task InitializeAsync() => _triggers.StartAsync();

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Time_Reached_StartsOneRunForIt()
    {
        await _triggers.AddAsync("schedule: { cron: '0 3 * * *', time-zone: Europe/Berlin, params: { text: '${event.time} ${event.date}' } }");

        await AdvanceAsync(TimeSpan.FromHours(1.9));
        (await _triggers.RunsAsync()).ShouldBeEmpty();
        await AdvanceAsync(TimeSpan.FromHours(0.1));
        await AdvanceAsync(TimeSpan.FromSeconds(1));

        var run = (await _triggers.RunsAsync()).ShouldHaveSingleItem();
        (await _triggers.ParametersAsync(run.RunId)).ShouldBe("""{"text":"2026-01-01T02:00:00Z 2026-01-01"}""");
        (await _triggers.Triggers.ListAsync(default)).ShouldHaveSingleItem().Next.ShouldBe(new DateTimeOffset(2026, 1, 2, 2, 0, 0, TimeSpan.Zero));
    }

    [Theory]
    [InlineData("none", 0)]
    [InlineData("last", 1)]
    [InlineData("all", 100)]
    public async Task Times_SleptThrough_AreMadeUpForAsTheFileSays(string catchUp, int expected)
    {
        await _triggers.AddAsync($"schedule: {{ cron: '30 * * * *', catch-up: {catchUp} }}");

        await AdvanceAsync(TimeSpan.FromHours(150));

        var times = (await _triggers.FiringsAsync("nightly")).Count;
        times.ShouldBe(expected);
        (await _triggers.RunsAsync()).Count.ShouldBe(expected);
    }

    [Fact]
    public async Task Time_WhileOff_StartsNothingThenOrLater()
    {
        await _triggers.AddAsync("cron: '0 * * * *'");
        await _triggers.Triggers.SwitchAsync("nightly", false, default);

        await AdvanceAsync(TimeSpan.FromHours(1));
        await _triggers.Triggers.SwitchAsync("nightly", true, default);
        await _triggers.RoundAsync();
        (await _triggers.RunsAsync()).ShouldBeEmpty();
        await AdvanceAsync(TimeSpan.FromHours(1));

        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Clock_ThatWasADayAhead_NeitherSilencesTheScheduleNorRepeatsATime()
    {
        await _triggers.AddAsync("cron: '0 * * * *'");
        await AdvanceAsync(TimeSpan.FromHours(1));
        await AdvanceAsync(TimeSpan.FromDays(1));
        var before = (await _triggers.RunsAsync()).Count;

        await AdvanceAsync(TimeSpan.FromDays(-1));
        await AdvanceAsync(TimeSpan.FromHours(1));
        var after = (await _triggers.RunsAsync()).Count;
        await AdvanceAsync(TimeSpan.FromHours(23)); // the time for which a run was started early

        before.ShouldBe(2);
        after.ShouldBe(3, "the next hour of the right clock has come");
        (await _triggers.RunsAsync()).Count.ShouldBe(3, "no time comes twice");
    }

    private async Task AdvanceAsync(TimeSpan time)
    {
        _triggers.Ledger.Clock.Advance(time);
        await _triggers.RoundAsync();
    }
}
