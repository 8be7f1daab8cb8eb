using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.TestKit.Services.Distributed;

/// <summary>Requests about runs to an orchestrator that is a process.</summary>
public sealed class RunRequests : IDisposable
{
    private readonly Func<string> _log;

    /// <param name="address">The orchestrator's.</param>
    /// <param name="key">An administrator's.</param>
    /// <param name="log">What the platform's services wrote, for messages.</param>
    public RunRequests(Uri address, string key, Func<string> log)
    {
        _log = log;
        Client = new HttpClient { BaseAddress = address };
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>Other requests.</summary>
    public HttpClient Client { get; }

    public async Task<Guid> SubmitAsync(string yaml)
    {
        using var answer = await Client.PostAsync("/api/v1/runs", new StringContent(yaml));
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;
    }

    public async Task<RunView> FindAsync(Guid run) => (await Client.GetFromJsonAsync<RunView>($"/api/v1/runs/{run}", WireJson.Options))!;

    public async Task<RunView> WaitAsync(Guid run, Func<RunView, bool> until, TimeSpan? limit = null)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var view = await FindAsync(run);
            if (until(view))
                return view;
            if (clock.Elapsed > (limit ?? TimeSpan.FromSeconds(100)))
                throw new TimeoutException($"{view.State}: {string.Join(", ", view.Steps.Select(s => $"{s.Name} {s.State} {s.Message}"))}\n{_log()}");
            await Task.Delay(20);
        }
    }

    public Task<RunView> EndAsync(Guid run, TimeSpan? limit = null) =>
        WaitAsync(run, v => v.State is RunState.Succeeded or RunState.Failed or RunState.Cancelled, limit);

    public void Dispose() => Client.Dispose();
}
