using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>
/// The clock of every service jumps a day ahead and back in the middle of a run, and the orchestrator is killed and started again under
/// either clock, while a schedule starts runs every minute.
/// </summary>
[Collection(DrillServers.Name)]
public sealed class When_the_clock_jumps(DrillServers servers, ITestOutputHelper output)
{
    /// <summary>A worker that gets no answer for as long stops by itself, whatever the clocks say.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(15), Heartbeat = TimeSpan.FromSeconds(5);

    [ClockFact]
    public async Task No_lease_is_lost_or_kept_and_no_schedule_storms_or_falls_silent()
    {
        var clock = new FakeClock();
        await using var drill = await Drill.StartAsync(servers, output, options: new SiteOptions { Around = clock.StartAsync });
        var began = Stopwatch.StartNew();
        await AddScheduleAsync(drill);
        var run = await drill.AgainAsync("cpt-trainer-work@cursor-saved:2:delay:45000");
        await drill.HeldAsync("cpt-trainer-work");

        clock.Jump(days: 1);
        var away = await RestartAsync(drill);
        await drill.UntilAsync("the orchestrator's log is of tomorrow", () => Task.FromResult(SeesTomorrow(drill)));
        clock.Jump(days: 0);
        away = TimeSpan.FromTicks(Math.Max(away.Ticks, (await RestartAsync(drill)).Ticks));
        var before = await ScheduledAsync(drill);
        var next = await drill.UntilAsync("the schedule starts another run", async () => (await ScheduledAsync(drill)).Count > before.Count);
        await drill.EndAsync(run);

        var lost = await drill.CheckAsync(run);
        var scheduled = await ScheduledAsync(drill);
        drill.Say($"clock a day ahead and back: {lost} attempts lost, orchestrator away for {away.TotalSeconds:0.0} s at most, {scheduled.Count} scheduled "
            + $"runs in {began.Elapsed.TotalMinutes:0.0} min, the next one {next.TotalSeconds:0} s after the clock was right");
        lost.ShouldBeLessThanOrEqualTo(away > Lease - Heartbeat ? 2 : 0, "only a worker that nobody answered for a whole lease gives its step up");
        scheduled.Distinct().Count().ShouldBe(scheduled.Count, "one run for each time");
        scheduled.Count.ShouldBeLessThanOrEqualTo((int)began.Elapsed.TotalMinutes + 3, "one a minute, and one for each of two jumps");
        await RunsAreInOrderAsync(drill, run);
    }

    private static bool SeesTomorrow(Drill drill) => drill.Site.Services[PointGenerator.Orchestrator].Log.Contains(
        DateTimeOffset.UtcNow.AddDays(1).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>Kills the orchestrator, which its supervisor starts again; how long it was away.</summary>
    private static async Task<TimeSpan> RestartAsync(Drill drill)
    {
        var orchestrator = drill.Site.Services[PointGenerator.Orchestrator];
        var (clock, restarts) = (Stopwatch.StartNew(), orchestrator.Restarts);
        await orchestrator.SignalAsync("KILL");
        await drill.UntilAsync("it is started again", () => Task.FromResult(orchestrator.Restarts > restarts));
        await orchestrator.WaitUntilReadyAsync();
        return clock.Elapsed;
    }

    private static async Task AddScheduleAsync(Drill drill)
    {
        var micro = MicroPipeline.Write(drill.Site.TextFile, "drill", retry: null)
            .Replace("name: micro", "name: ticks\non: { schedule: '* * * * *' }", StringComparison.Ordinal);
        var yaml = micro[..micro.IndexOf("  cpt:", StringComparison.Ordinal)];
        using var answer = await drill.Site.Client.PutAsync("/api/v1/pipelines/ticks", new StringContent(yaml));
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The events of the runs that the schedule has started.</summary>
    private static async Task<IReadOnlyList<long>> ScheduledAsync(Drill drill) =>
        [.. (await RunsAsync(drill)).Where(r => r.TryGetProperty("cause", out var cause) && cause.ValueKind == JsonValueKind.Object)
            .Select(r => r.GetProperty("cause").GetProperty("event").GetInt64())];

    private static async Task RunsAreInOrderAsync(Drill drill, Guid run)
    {
        var last = await drill.AgainAsync("");
        await drill.EndAsync(last);

        var ids = (await RunsAsync(drill)).Select(r => r.GetProperty("run-id").GetGuid()).ToList();
        ids.IndexOf(last).ShouldBeLessThan(ids.IndexOf(run), "the newest comes first, whatever the clock was");
    }

    private static async Task<IReadOnlyList<JsonElement>> RunsAsync(Drill drill) =>
        [.. (await drill.Site.Client.GetFromJsonAsync<JsonElement>("/api/v1/runs")).EnumerateArray()];
}
