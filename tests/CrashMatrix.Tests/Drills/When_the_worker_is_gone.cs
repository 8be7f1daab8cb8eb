using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>
/// A worker is killed with its whole process group, or is drained, and another one goes on: another process with another number of threads
/// and an empty cache. The result is that of the first worker's threads bit for bit, since the second one computes with as many.
/// </summary>
[Collection(DrillServers.Name)]
public sealed class When_the_worker_is_gone(DrillServers servers, ITestOutputHelper output)
{
    private static readonly (string Step, string Worker, string Project, string At)[] Held =
    [
        ("cpt", "cpt-trainer", "services/CptTrainer", "cursor-saved:2"), ("slim", "pruner", "services/Pruner", "cursor-saved:1"),
        ("int4", "quantizer", "services/Quantizer", "cursor-saved:1"),
    ];

    private static readonly SiteOptions TwoThreads = new() { Around = _ => Task.FromResult(Surroundings.Usual with { Environment = Threads(2) }) };

    [Fact]
    public async Task Another_goes_on_from_finished_units_within_twenty_seconds()
    {
        await using var drill = await Drill.StartAsync(servers, output, options: TwoThreads);
        var run = await drill.AgainAsync(string.Join(';', Held.Select(h => $"{h.Worker}-work@{h.At}:delay:600000")));
        foreach (var (step, worker, project, _) in Held)
        {
            await drill.HeldAsync($"{worker}-work");
            var other = await drill.Site.AddWorkerAsync($"{worker}-2", project, Threads(1));

            await drill.Site.RemoveAsync(worker);
            var again = await drill.GoesOnAsync(run, step, after: 1);

            drill.Say($"{step}: another worker runs it {again.TotalSeconds:0.0} s after its own was killed");
            again.ShouldBeLessThan(TimeSpan.FromSeconds(20) + Allowance(), other.Log);
        }
        await drill.EndAsync(run);

        (await drill.CheckAsync(run)).ShouldBe(Held.Length, "an attempt of each");
    }

    [Fact]
    public async Task A_drained_one_saves_its_position_in_time()
    {
        // Held for less than the grace, so that it is asked to end in the middle, far from the next position.
        await using var drill = await Drill.StartAsync(servers, output, options: TwoThreads, pipeline: yaml => yaml.Replace(
            "tokens: 1k, length: 32, batch: 4, checkpoint-steps: 2", "tokens: 200k, length: 32, batch: 4, checkpoint-steps: 500", StringComparison.Ordinal));
        var run = await drill.AgainAsync("cpt-trainer-work@cursor-saved:1:delay:10000");
        await drill.HeldAsync("cpt-trainer-work");

        var clock = Stopwatch.StartNew();
        var first = drill.Site.Services["cpt-trainer"];
        (await first.DrainAsync(Drill.Limit)).ShouldBe(0, first.Log);
        var ended = clock.Elapsed;
        await drill.Site.RemoveAsync("cpt-trainer");
        await drill.Site.AddWorkerAsync("cpt-trainer-2", "services/CptTrainer", Threads(1));
        var again = await drill.GoesOnAsync(run, "cpt", after: 1);
        await drill.EndAsync(run);

        drill.Say($"drain: ended after {ended.TotalSeconds:0.0} s, another worker ran the step {again.TotalSeconds:0.0} s after it was ready");
        drill.Site.Faults.Count()["cpt-trainer-work@cursor-saved"].ShouldBe(2, "after 500 steps, and when it was asked to end");
        (await drill.CheckAsync(run)).ShouldBe(1);
        ended.ShouldBeLessThan(TimeSpan.FromSeconds(75), "a manifest gives a worker as long");
        again.ShouldBeLessThan(TimeSpan.FromSeconds(20) + Allowance());
    }

    private static Dictionary<string, string> Threads(int number) => new() { ["OMP_NUM_THREADS"] = $"{number}" };

    /// <summary>A machine that is busy with other things answers later.</summary>
    private static TimeSpan Allowance()
    {
        var load = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);
        return TimeSpan.FromSeconds(Math.Max(0, load - Environment.ProcessorCount));
    }
}
