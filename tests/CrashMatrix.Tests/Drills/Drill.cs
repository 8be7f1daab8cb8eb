using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Espalier.Contracts;
using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>
/// A platform of real processes with the times of production, a run that nothing disturbed, and the same steps done again while something
/// is wrong. In the end every result must be that of the undisturbed run bit for bit, and no more than a unit of work may have been done
/// again for each attempt that was lost.
/// </summary>
internal sealed class Drill : IAsyncDisposable
{
    /// <summary>Only what hangs takes this long, also on a busy machine.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly string _first;
    private readonly ITestOutputHelper _output;
    private IReadOnlyList<string> _expected = [];
    private int _units;
    private Guid _reference;

    private Drill(Site site, string first, ITestOutputHelper output) => (Site, _first, _output) = (site, first, output);

    public Site Site { get; }

    /// <summary>Starts a platform and runs a pipeline, and then again from a step on, without trouble.</summary>
    /// <param name="servers">Broker and database.</param>
    /// <param name="output">Where measured times go.</param>
    /// <param name="store">Where artifacts lie.</param>
    /// <param name="options">How the site differs.</param>
    /// <param name="first">The step from which on everything is done again in the drill.</param>
    /// <param name="pipeline">Changes the pipeline.</param>
    public static async Task<Drill> StartAsync(
        DrillServers servers, ITestOutputHelper output, StoreKind store = StoreKind.Files, SiteOptions? options = null, string first = "cpt",
        Func<string, string>? pipeline = null)
    {
        var site = await Site.StartAsync(store, servers.Servers, (options ?? new SiteOptions()) with { HasDefaultTimes = true });
        var drill = new Drill(site, first, output);
        try
        {
            var yaml = MicroPipeline.Write(site.TextFile, "drill", retry: null);
            drill._reference = await site.SubmitAsync(pipeline?.Invoke(yaml) ?? yaml, Limit);
            await drill.EndAsync(drill._reference);
            drill._expected = await drill.ResultsAsync(drill._reference);
            await drill.EndAsync(await drill.AgainAsync(""));
            drill._units = site.Faults.Units();
            return drill;
        }
        catch
        {
            await drill.DisposeAsync();
            throw;
        }
    }

    /// <summary>Forgets the results from the first step on, sets faults that hold work at a point, and starts the run again.</summary>
    public async Task<Guid> AgainAsync(string faults)
    {
        Site.Faults.Set(faults);
        using var answer = await Site.Client.PostAsync($"/api/v1/runs/{_reference}/steps/{_first}/rerun", null);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;
    }

    /// <summary>Waits until the work of a service is held at the point of its fault.</summary>
    public Task HeldAsync(string role) => UntilAsync($"{role} is held", () => Task.FromResult(Site.Faults.HasFiredAt(role)));

    /// <summary>What <c>espalier status --json</c> shows of the platform.</summary>
    public Task<JsonElement> StatusAsync() => Site.Client.GetFromJsonAsync<JsonElement>("/api/v1/status");

    /// <summary>What <c>espalier runs RUN --json</c> shows of a step.</summary>
    public async Task<JsonElement> StepAsync(Guid run, string step) =>
        (await Site.Client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}")).GetProperty("steps").EnumerateArray()
            .Single(s => s.GetProperty("name").GetString() == step);

    /// <summary>Why a step waits, and the kind of reason; empty while it does not.</summary>
    public async Task<(string Reason, string Text)> WaitOfAsync(Guid run, string step) =>
        (await StepAsync(run, step)).TryGetProperty("wait", out var wait) && wait.ValueKind == JsonValueKind.Object
            ? (wait.GetProperty("reason").GetString()!, wait.GetProperty("text").GetString()!)
            : ("", "");

    /// <summary>Waits for something; how long it took.</summary>
    public async Task<TimeSpan> UntilAsync(string what, Func<Task<bool>> isSo)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                if (await isSo())
                    return clock.Elapsed;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException)
            {
                // The orchestrator is away for a moment.
            }
            if (clock.Elapsed > Limit)
                throw new TimeoutException($"It never came to this: {what}.\n{Site.Logs()}");
            await Task.Delay(50);
        }
    }

    /// <summary>Waits until a step runs in an attempt after the given one, or has ended already; how long that took.</summary>
    public Task<TimeSpan> GoesOnAsync(Guid run, string step, int after) => UntilAsync($"{step} goes on", async () =>
        (await Site.Ledger.StepsAsync(run)).Single(s => s.Name == step) is { State: "running" or "succeeded" } found && found.Attempts > after);

    /// <summary>Waits for the end of a run that must end well.</summary>
    public async Task EndAsync(Guid run)
    {
        var state = await Site.Ledger.WaitForEndAsync(run, Limit);
        var steps = await Site.Ledger.StepsAsync(run);
        state.ShouldBe("succeeded", $"{string.Join("; ", steps.Select(s => $"{s.Name} {s.State} {s.Message}"))}\n{Site.Logs()}");
    }

    /// <summary>Checks every promise on a run that has ended; the attempts that were lost.</summary>
    public async Task<int> CheckAsync(Guid run)
    {
        var steps = await Site.Ledger.StepsAsync(run);
        var lost = steps.Sum(s => Math.Max(0, s.Attempts - 1));
        (await ResultsAsync(run)).ShouldBe(_expected, Site.Logs());
        (await Site.Ledger.SuccessesAsync(run)).Where(s => s.Value != 1).ShouldBeEmpty("every step succeeds once");
        (Site.Faults.Units() - _units).ShouldBeLessThanOrEqualTo(lost, "finished units are not done again");
        return lost;
    }

    /// <summary>Says what was measured, and the load that it was measured under.</summary>
    public void Say(string text)
    {
        var line = $"{text} [load {File.ReadAllText("/proc/loadavg").Split(' ')[0]}]";
        _output.WriteLine(line);
        Console.WriteLine(line);
    }

    public ValueTask DisposeAsync() => Site.DisposeAsync();

    private async Task<IReadOnlyList<string>> ResultsAsync(Guid run) =>
        [.. (await Site.Ledger.StepsAsync(run)).Select(s => $"{s.Name} {s.Outputs}")];
}
