using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Espalier.Hosting;
using Espalier.NoopService;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Deployment.Tests.Observability;

/// <summary>An orchestrator with a worker on a real broker: what they hand out as metrics while a step runs, and when it is done.</summary>
public sealed partial class ScrapedPlatform : IAsyncLifetime
{
    private const string Key = "a-key-of-the-administrator";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("scraped-");
    private readonly RabbitMqServer _broker = new();
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    /// <summary>Labels by the name of a metric, as Prometheus spells both.</summary>
    public Dictionary<string, HashSet<string>> Labels { get; } = [];

    public async Task InitializeAsync()
    {
        await _broker.InitializeAsync();
        string[] args =
        [
            $"--orchestrator:connection=Data Source={Path.Combine(_folder.FullName, "ledger.db")}",
            "--orchestrator:sweep-interval=00:00:00.1",
            $"--store:location=file:{Path.Combine(_folder.FullName, "store")}",
            "--messaging:transport=rabbit-mq", $"--messaging:broker={_broker.Address}", $"--orchestrator-api:key={Key}",
        ];
        _app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.Services.AddSingleton<IStage, UnitsStage>().AddSingleton<INumericsClass, FixedNumerics>();
            builder.AddOrchestratorService();
            builder.Services.AddStageWorker(new StageWorkerOptions { CacheFolder = _folder.FullName, PollInterval = TimeSpan.FromSeconds(1) });
            builder.Logging.ClearProviders();
        }, app =>
        {
            app.UseFreshGauges();
            app.MapRunsApi();
        });
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        OrchestratorTelemetry.LeaseLost("noop"); // as the sweep counts one
        await RunAsync();
    }

    public async Task DisposeAsync()
    {
        _client?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }
        await _broker.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    private async Task RunAsync()
    {
        var gate = Path.Combine(_folder.FullName, "gate");
        var pipeline = $"name: scraped\nstages:\n  a: {{ uses: noop, with: {{ text: x, units: 2, gate: '{gate}' }} }}\n";
        await UntilAsync(async () => (await _client.PostAsync("/api/v1/runs", new StringContent(pipeline))).IsSuccessStatusCode, "The stage is not offered.");
        await UntilAsync(() => SeesAsync("espalier_steps", "state=\"running\""), "The step does not run.");
        await File.WriteAllTextAsync(gate, "");
        await UntilAsync(() => SeesAsync("espalier_runs", "state=\"succeeded\""), "The run does not end.");
    }

    private async Task<bool> SeesAsync(string metric, string label)
    {
        var text = await _client.GetStringAsync("/metrics");
        foreach (Match series in Series().Matches(text))
        {
            if (!Labels.TryGetValue(series.Groups["name"].Value, out var labels))
                Labels[series.Groups["name"].Value] = labels = [];
            foreach (Match found in Label().Matches(series.Groups["labels"].Value))
                labels.Add(found.Groups[1].Value);
        }
        return text.Split('\n').Any(l => l.StartsWith(metric + "{", StringComparison.Ordinal) && l.Contains(label, StringComparison.Ordinal));
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo, string otherwise)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!await isSo())
        {
            if (limit.IsCancellationRequested)
                throw new TimeoutException(otherwise);
            await Task.Delay(200);
        }
    }

    [GeneratedRegex(@"^(?<name>[a-z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? \S+", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Series();

    [GeneratedRegex("([a-zA-Z_]+)=\"(?:[^\"\\\\]|\\\\.)*\"", RegexOptions.CultureInvariant)]
    private static partial Regex Label();
}
