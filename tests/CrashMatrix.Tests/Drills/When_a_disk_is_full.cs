using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>The disk of the store, or that of a worker's scratch files, is full in the middle of a run, and somebody makes room.</summary>
[Collection(DrillServers.Name)]
public sealed class When_a_disk_is_full(DrillServers servers, ITestOutputHelper output)
{
    private const string Held = "cpt-trainer-work@cursor-saved:2:delay:4000";

    [NamespaceFact]
    public async Task Reason_is_shown_others_go_on_and_run_ends_when_there_is_room()
    {
        await using var disks = new SmallDisks();
        await using var drill = await Drill.StartAsync(servers, output, options: new SiteOptions { Around = disks.MountAsync });

        await FillStoreAsync(drill, disks);
        await FillScratchAsync(drill, disks);
    }

    private static async Task FillStoreAsync(Drill drill, SmallDisks disks)
    {
        var run = await drill.AgainAsync(Held);
        await drill.HeldAsync("cpt-trainer-work");

        await disks.FillAsync("store");
        var shown = await drill.UntilAsync("status names the disk", async () =>
            IsNamed((await drill.StatusAsync()).GetProperty("store").GetProperty("problem").GetString()!));
        var explained = await drill.UntilAsync("the run names the disk", async () => IsNamed((await drill.WaitOfAsync(run, "cpt")).Text));
        await disks.EmptyAsync("store");
        var again = await drill.GoesOnAsync(run, "cpt", after: 1);
        await drill.EndAsync(run);

        var lost = await drill.CheckAsync(run);
        drill.Say($"store's disk full: status after {shown.TotalSeconds:0.0} s, run after {(shown + explained).TotalSeconds:0.0} s, "
            + $"on {again.TotalSeconds:0.0} s after there was room, {lost} attempts that do not count");
        shown.ShouldBeLessThan(TimeSpan.FromSeconds(15));
    }

    private static async Task FillScratchAsync(Drill drill, SmallDisks disks)
    {
        await disks.FillAsync("cache", isEmptied: true);
        var run = await drill.AgainAsync("");
        var explained = await drill.UntilAsync("the run names the disk", async () => IsNamed((await drill.WaitOfAsync(run, "cpt")).Text));
        await drill.EndAsync(await drill.Site.SubmitAsync(OtherRun(drill.Site.TextFile), Drill.Limit));
        await disks.EmptyAsync("cache");
        var again = await drill.GoesOnAsync(run, "cpt", after: 1);
        await drill.EndAsync(run);

        var lost = await drill.CheckAsync(run);
        drill.Say($"scratch disk full: run after {explained.TotalSeconds:0.0} s, another run ended meanwhile, "
            + $"on {again.TotalSeconds:0.0} s after there was room, {lost} attempts that do not count");
        explained.ShouldBeLessThan(TimeSpan.FromSeconds(60));
    }

    private static bool IsNamed(string text) => text.Contains("space", StringComparison.OrdinalIgnoreCase);

    /// <summary>One that needs no scratch files: what it begins with is in the store.</summary>
    private static string OtherRun(string text)
    {
        var micro = MicroPipeline.Write(text, "drill", retry: null);
        return micro[..micro.IndexOf("  cpt:", StringComparison.Ordinal)] + """
              thin:
                uses: prune
                needs: grown
                with: { method: random, ratio: 0.25, seed: 11 }
            """;
    }
}
