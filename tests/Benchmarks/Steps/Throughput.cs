using System.Diagnostics;
using System.Globalization;
using Espalier.Contracts;

namespace Espalier.Benchmarks.Steps;

/// <summary>Runs of one step per second, many at once.</summary>
internal static class Throughput
{
    private const int Runs = 200;

    public static async Task MeasureAsync(Places places)
    {
        foreach (var (name, start) in places.All)
        {
            await using var platform = await start();
            await RunAsync(20, "warm");
            var clock = Stopwatch.StartNew();
            await RunAsync(Runs, "measured");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{name}: {Runs} runs of one step, submitted at once: "
                + $"{Runs / clock.Elapsed.TotalSeconds:0.0} runs per second"));

            async Task RunAsync(int runs, string text)
            {
                var ids = await Task.WhenAll(Enumerable.Range(0, runs).Select(
                    i => platform.SubmitAsync($"name: one\nstages:\n  a: {{ uses: noop, with: {{ text: {text}-{i} }} }}\n")));
                foreach (var id in ids)
                {
                    if ((await platform.EndAsync(id)).State != RunState.Succeeded)
                        throw new InvalidOperationException("A run did not succeed.");
                }
            }
        }
    }
}
