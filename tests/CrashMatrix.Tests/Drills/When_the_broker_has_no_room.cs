using System.Text.Json;
using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>Out of disk or memory the broker takes no message from anybody: no heartbeat, no claim, no result.</summary>
[Collection(DrillServers.Name)]
public sealed class When_the_broker_has_no_room(DrillServers servers, ITestOutputHelper output)
{
    [Fact]
    public async Task Reason_is_shown_and_run_ends_as_if_nothing_had_been()
    {
        await using var drill = await Drill.StartAsync(servers, output);

        await AlarmAsync(drill, "set_disk_free_limit", "900000GB", "50MB", "disk");
        await AlarmAsync(drill, "set_vm_memory_high_watermark", "0", "0.4", "memory");
    }

    private async Task AlarmAsync(Drill drill, string limit, string alarm, string calm, string word)
    {
        var broker = servers.Servers.Broker;
        var run = await drill.AgainAsync("cpt-trainer-work@cursor-saved:2:delay:600000");
        await drill.HeldAsync("cpt-trainer-work");

        await broker.ControlAsync(limit, alarm);
        TimeSpan shown, explained, again;
        try
        {
            shown = await drill.UntilAsync(
                "status names the alarm", async () => AlarmOf(await drill.StatusAsync()).Contains(word, StringComparison.Ordinal));
            explained = await drill.UntilAsync("the run names the alarm", async () =>
                await drill.WaitOfAsync(run, "cpt") is { Reason: "broker" } wait && wait.Text.Contains(word, StringComparison.Ordinal));
        }
        finally
        {
            await broker.ControlAsync(limit, calm);
        }
        again = await drill.GoesOnAsync(run, "cpt", after: 1);
        await drill.EndAsync(run);

        AlarmOf(await drill.StatusAsync()).ShouldBeEmpty();
        var lost = await drill.CheckAsync(run);
        drill.Say($"broker low on {word}: status after {shown.TotalSeconds:0.0} s, run after {(shown + explained).TotalSeconds:0.0} s, "
            + $"on {again.TotalSeconds:0.0} s after its end, {lost} attempts lost");
        shown.ShouldBeLessThan(TimeSpan.FromSeconds(15));
    }

    private static string AlarmOf(JsonElement status) => status.GetProperty("broker-alarm").GetString()!;
}
