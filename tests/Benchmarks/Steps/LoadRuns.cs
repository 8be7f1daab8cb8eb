using System.Collections.Concurrent;
using System.Net.Http.Json;
using Espalier.Contracts;

namespace Espalier.Benchmarks.Steps;

/// <summary>The runs under way: as many as there were at the start, for as long as it is measured.</summary>
internal sealed class LoadRuns(HttpClient http)
{
    /// <summary>The step that ends a run.</summary>
    public const string LastStep = "c";

    private const int AtOnce = 4;
    private readonly ConcurrentDictionary<Guid, bool> _open = new();
    private int _number;

    /// <summary>One of them, by a number between 0 and 1.</summary>
    public Guid Any(double which)
    {
        var open = _open.Keys.ToList();
        return open[(int)(which * open.Count)];
    }

    /// <summary>Starts runs.</summary>
    public Task SubmitAsync(int count) =>
        Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (_, _) => await SubmitAsync());

    /// <summary>Starts a run for one that has ended.</summary>
    public Task ReplaceAsync(Guid ended)
    {
        _open.TryRemove(ended, out _);
        return SubmitAsync();
    }

    private async Task SubmitAsync()
    {
        var number = Interlocked.Increment(ref _number);
        using var answer = await http.PostAsync("/api/v1/runs", new StringContent(
            $$"""
            name: loaded
            stages:
              a: { uses: noop, with: { text: load-{{number}}-a } }
              b: { uses: noop, needs: a, with: { text: load-{{number}}-b, from: "${a.model}" } }
              c: { uses: noop, needs: b, with: { text: load-{{number}}-c, from: "${b.model}" } }
            """));
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());
        _open[(await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId] = true;
    }
}
