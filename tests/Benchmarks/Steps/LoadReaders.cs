using System.Diagnostics;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Benchmarks.Steps;

/// <summary>People and programs that look: what the portal's list and its page of a run ask for, each again and again.</summary>
internal sealed class LoadReaders(HttpClient http, int ended, Latencies latencies, LoadRuns runs)
{
    private const int Lookers = 3, Streams = 10;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private (string Name, Func<Random, string> Path)[] Pages =>
    [
        ("list, first page of 200", _ => "/api/v1/runs?limit=200"),
        ("list, a page of 200 deep in the ledger", r => $"/api/v1/runs?limit=200&before={Ended(r)}"),
        ("list, failed runs", _ => "/api/v1/runs?limit=200&state=failed"),
        ("list, running runs", _ => "/api/v1/runs?limit=200&state=running"),
        ("list, runs of a pipeline, deep", r => $"/api/v1/runs?limit=200&name={LedgerSeed.Name(r.Next(LedgerSeed.Pipelines))}&before={Ended(r)}"),
        ("list, by first digits of the id", r => $"/api/v1/runs?limit=1000&id={Ended(r).ToString("N")[..31]}"),
        ("page of a run that has ended", r => $"/api/v1/runs/{Ended(r)}"),
        ("page of a run under way", r => $"/api/v1/runs/{runs.Any(r.NextDouble())}"),
        ("log of a run", r => $"/api/v1/runs/{Ended(r)}/log"),
        ("notices of a run", r => $"/api/v1/runs/{Ended(r)}/notices"),
        ("file of a run", r => $"/api/v1/runs/{Ended(r)}/source"),
        ("status of the platform", _ => "/api/v1/status"),
    ];

    /// <summary>Starts them.</summary>
    public IEnumerable<Task> Start(CancellationToken stopping) =>
        Enumerable.Range(0, Lookers).Select(i => LookAsync(new Random(i), stopping))
            .Concat(Enumerable.Range(0, Streams).Select(i => StreamAsync(new Random(i), stopping)));

    private Guid Ended(Random random) => LedgerSeed.RunId(random.Next(ended));

    private async Task LookAsync(Random random, CancellationToken stopping)
    {
        var pages = Pages;
        for (var i = random.Next(pages.Length); !stopping.IsCancellationRequested; i++)
        {
            var (name, path) = pages[i % pages.Length];
            var began = Stopwatch.GetTimestamp();
            using var answer = await http.GetAsync(path(random), CancellationToken.None);
            await answer.Content.ReadAsByteArrayAsync(CancellationToken.None);
            if (answer.IsSuccessStatusCode)
                latencies.Add(name, began);
            else
                latencies.Fail($"{name}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(CancellationToken.None)}");
            await Task.Delay(Pause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>An open page of a run under way, which follows its events.</summary>
    private async Task StreamAsync(Random random, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await using var events = await http.GetStreamAsync($"/api/v1/runs/{runs.Any(random.NextDouble())}/events", stopping);
                await events.CopyToAsync(Stream.Null, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
            }
        }
    }
}
