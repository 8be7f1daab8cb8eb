using System.Diagnostics;
using System.Globalization;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Embedded;

namespace Espalier.Benchmarks.Steps;

/// <summary>A run of very many steps, and very many runs at once. The memory of orchestrator and worker must stay flat.</summary>
internal static class Scale
{
    private const int Slots = 4;
    private const int Width = 100;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    /// <exception cref="InvalidOperationException">Something did not end well, or memory grew.</exception>
    public static async Task MeasureAsync(int steps, int runs)
    {
        await using (var platform = await Places.StartAsync(null, null, Slots))
        {
            await EndAsync(platform, [await platform.SubmitAsync(Layers(5, "warm-up"))], null);
            var memory = new MemoryCurve();
            var clock = Stopwatch.StartNew();
            await EndAsync(platform, [await platform.SubmitAsync(Layers(steps / Width, "large"))], memory);
            memory.Say($"one run of {steps / Width * Width} steps, {Width} wide", steps / clock.Elapsed.TotalSeconds, "steps");
        }
        await using (var platform = await Places.StartAsync(null, null, Slots))
        {
            await EndAsync(platform, await SubmitAsync(platform, 20, "warm-up"), null);
            var memory = new MemoryCurve();
            var clock = Stopwatch.StartNew();
            await EndAsync(platform, await SubmitAsync(platform, runs, "small"), memory);
            memory.Say($"{runs} runs of three steps at once", runs / clock.Elapsed.TotalSeconds, "runs");
        }
    }

    private static Task<Guid[]> SubmitAsync(EmbeddedPlatform platform, int runs, string text) =>
        Task.WhenAll(Enumerable.Range(0, runs).Select(i => platform.SubmitAsync(
        $$"""
        name: small
        stages:
          a: { uses: noop, with: { text: {{text}}-{{i}}-a } }
          b: { uses: noop, needs: a, with: { text: {{text}}-{{i}}-b, from: "${a.model}" } }
          c: { uses: noop, needs: b, with: { text: {{text}}-{{i}}-c, from: "${b.model}" } }
        """)));

    /// <summary>Layers of steps, each step needing the same one of the layer before.</summary>
    private static string Layers(int layers, string text)
    {
        var yaml = new System.Text.StringBuilder("name: layers\nstages:\n");
        for (var layer = 0; layer < layers; layer++)
        {
            for (var i = 0; i < Width; i++)
            {
                var needs = layer == 0 ? "" : $", needs: l{layer - 1}-{i}";
                yaml.Append(CultureInfo.InvariantCulture, $"  l{layer}-{i}: {{ uses: noop{needs}, with: {{ text: {text}-{layer}-{i} }} }}\n");
            }
        }
        return yaml.ToString();
    }

    private static async Task EndAsync(EmbeddedPlatform platform, IReadOnlyList<Guid> runs, MemoryCurve? memory)
    {
        var open = runs.ToHashSet();
        var clock = Stopwatch.StartNew();
        while (open.Count > 0)
        {
            foreach (var run in await platform.Runs.ListAsync(runs.Count + 50, default))
            {
                if (run.State is RunState.Failed or RunState.Cancelled)
                    throw new InvalidOperationException($"A run {run.State}: {run.Message}");
                if (run.State == RunState.Succeeded)
                    open.Remove(run.RunId);
            }
            if (clock.Elapsed > Limit)
                throw new TimeoutException($"{open.Count} runs are still under way.");
            memory?.Take();
            await Task.Delay(500);
        }
    }

    /// <summary>Memory after a collection, at intervals.</summary>
    private sealed class MemoryCurve
    {
        private const double MostGrowth = 48;
        private readonly List<double> _megabytes = [];

        public void Take() => _megabytes.Add(GC.GetTotalMemory(forceFullCollection: true) / 1048576.0);

        /// <exception cref="InvalidOperationException">The last quarter needs much more than the second.</exception>
        public void Say(string what, double rate, string unit)
        {
            var quarter = Math.Max(1, _megabytes.Count / 4);
            var (early, late) = (_megabytes.Skip(quarter).Take(quarter).DefaultIfEmpty(_megabytes[0]).Average(), _megabytes.TakeLast(quarter).Average());
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{what}: {rate:0.0} {unit} per second; live memory {early:0.0} MB in the second quarter, "
                + $"{late:0.0} MB in the last, {_megabytes.Max():0.0} MB at most; resident {Environment.WorkingSet / 1048576.0:0} MB"));
            if (late - early > MostGrowth)
                throw new InvalidOperationException($"Memory grew from {early:0} to {late:0} MB.");
        }
    }
}
