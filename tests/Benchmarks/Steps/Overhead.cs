using System.Globalization;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Embedded;

namespace Espalier.Benchmarks.Steps;

/// <summary>Time of one step that does nothing.</summary>
internal static class Overhead
{
    private const int Steps = 40;
    private const int Repeats = 5;
    private const int WarmUps = 12;
    private const int Submissions = 100;

    public static async Task MeasureAsync(Places places)
    {
        foreach (var (name, start) in places.All)
        {
            await using var platform = await start();
            // Until the just-in-time compiler is done with what steps use.
            for (var i = 0; i < WarmUps; i++)
                await RunAsync(platform, $"warm-up-{i}");
            var perStep = new List<double>();
            var cpu = new List<double>();
            for (var i = 0; i < Repeats; i++)
            {
                var before = Environment.CpuUsage.TotalTime;
                perStep.AddRange(await RunAsync(platform, $"measured-{i}"));
                cpu.Add((Environment.CpuUsage.TotalTime - before).TotalMilliseconds / Steps);
            }
            var first = new List<double>();
            for (var i = 0; i < Submissions; i++)
                first.Add(await FirstStartAsync(platform, i));
            var cpuText = string.Join(", ", cpu.Select(c => c.ToString("0.0", CultureInfo.InvariantCulture)));
            var mean = perStep.Average();
            Say($"{name}: {Steps} steps in a row, {Repeats} times: per step {Quantiles(perStep)}, mean {mean:0.0} ms, processor time {cpuText} ms");
            Say($"{name}: from submission to the first start: {Quantiles(first)}");
        }
        var roundTrips = await RawRoundTrip.MeasureAsync(places.Broker.Address);
        Say($"RabbitMQ.Client alone, request and answer of 900 bytes, persistent, confirmed: {Quantiles(roundTrips)}");
    }

    /// <summary>Runs a chain; milliseconds from the end of each step to the end of the next.</summary>
    private static async Task<List<double>> RunAsync(EmbeddedPlatform platform, string text)
    {
        var yaml = $"name: chain\nstages:\n  s0: {{ uses: noop, with: {{ text: {text} }} }}\n"
            + string.Join('\n', Enumerable.Range(1, Steps - 1).Select(
                i => $"  s{i}: {{ uses: noop, needs: s{i - 1}, with: {{ text: {text}, from: \"${{s{i - 1}.model}}\" }} }}"));
        var run = await EndAsync(platform, await platform.SubmitAsync(yaml));
        if (run.State != RunState.Succeeded)
            throw new InvalidOperationException($"The run ended as {run.State}.");
        return [.. run.Steps.Zip(run.Steps.Skip(1), (a, b) => (b.Ended!.Value - a.Ended!.Value).TotalMilliseconds)];
    }

    private static async Task<double> FirstStartAsync(EmbeddedPlatform platform, int number)
    {
        var run = await EndAsync(platform, await platform.SubmitAsync($"name: one\nstages:\n  a: {{ uses: noop, with: {{ text: first-{number} }} }}\n"));
        return (run.Steps[0].Started!.Value - run.Created).TotalMilliseconds;
    }

    /// <summary>Looks at the run's own row until it ended: reading forty steps at every look would be most of what is measured.</summary>
    private static async Task<RunView> EndAsync(EmbeddedPlatform platform, Guid run)
    {
        while ((await platform.Runs.ListAsync(1, default)) is not [{ State: RunState.Succeeded or RunState.Failed or RunState.Cancelled }])
            await Task.Delay(10);
        return (await platform.Runs.FindAsync(run, default))!;
    }

    private static string Quantiles(List<double> values)
    {
        var sorted = values.Order().ToList();
        return string.Create(
            CultureInfo.InvariantCulture, $"p50 {sorted[sorted.Count / 2]:0.0} ms, p90 {sorted[sorted.Count * 9 / 10]:0.0} ms, "
            + $"p99 {sorted[sorted.Count * 99 / 100]:0.0} ms");
    }

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
