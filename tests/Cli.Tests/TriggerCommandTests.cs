using System.Diagnostics;
using Espalier.Hosting;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Services.Embedded;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Cli.Tests;

/// <summary>Triggers of a pipeline at an orchestrator, as the command line lists and switches them.</summary>
public sealed class TriggerCommandTests : IAsyncLifetime
{
    private const string Key = "esp_0123456789abcdef";
    private readonly CliRun _cli = new();
    private WebApplication _app = null!;
    private string[] _there = [];

    public async Task InitializeAsync()
    {
        string[] args =
        [
            $"--orchestrator:connection=Data Source={_cli.PathOf("ledger.db")}", "--orchestrator:sweep-interval=00:00:00.1",
            $"--orchestrator:data-folders:0={_cli.Folder}", $"--store:location=file:{_cli.PathOf("store")}", $"--orchestrator-api:key={Key}",
        ];
        _app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.Services.AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, Numerics>();
            builder.AddOrchestratorService();
            builder.Services.AddStageWorker(new StageWorkerOptions { CacheFolder = _cli.PathOf("cache"), PollInterval = TimeSpan.FromSeconds(1) });
            builder.Logging.ClearProviders();
        }, app => app.MapRunsApi());
        await _app.StartAsync();
        _there = ["--server", _app.Urls.First(), "--key", Key];
    }

    public async Task DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _cli.Dispose();
    }

    [Fact]
    public async Task Triggers_OfOneEvent_AreListedByTheirNames_AndSayWhatTheyCannotRead()
    {
        var folder = _cli.PathOf("incoming");
        var file = _cli.Write("watching.yaml", $$"""
            name: watching
            on:
              schedule: [{ cron: "0 3 * * *" }, { name: noon, cron: "0 12 * * *" }]
              watch: {{folder}}
            stages: { a: { uses: noop, with: { text: any } } }
            """);

        await UntilAsync(() => _cli.Output == "watching version 1  on schedule, schedule.noon, watch\n", "pipelines", "add", file);
        await UntilAsync(() => _cli.Output.Contains("cannot be read", StringComparison.Ordinal), "trigger", "list");
        var lines = _cli.Output.Split('\n').Where(line => line.Contains("watching.", StringComparison.Ordinal)).ToList();
        var trouble = $@"since \d{{4}}-\d\d-\d\d \d\d:\d\d UTC: The folder {folder} cannot be read: it does not exist\.";
        lines[0].ShouldMatch(@"^│ watching\.schedule +│ on +│ \d{4}-\d\d-\d\d 03:00 UTC │");
        lines[1].ShouldMatch(@"^│ watching\.schedule\.noon │ on +│ \d{4}-\d\d-\d\d 12:00 UTC │");
        lines[2].ShouldMatch($@"^│ watching\.watch +│ error │ +│ {trouble}");
        await UntilAsync(() => _cli.Output.StartsWith("watching.watch  error  since", StringComparison.Ordinal), "trigger", "show", "watching.watch");
        _cli.Output.ShouldMatch(trouble);
    }

    [Fact]
    public async Task Show_AsJson_SaysSinceWhen_UntilThePlaceIsBack()
    {
        var folder = _cli.PathOf("later");
        var file = _cli.Write("later.yaml", $"name: later\non: {{ watch: {folder} }}\nstages: {{ a: {{ uses: noop, with: {{ text: any }} }} }}\n");
        await UntilAsync(() => true, "pipelines", "add", file);

        await UntilAsync(() => _cli.Json.GetProperty("trouble").GetString()!.Length > 0, "trigger", "show", "later", "--json");
        _cli.Json.GetProperty("trouble-since").GetDateTimeOffset().ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddHours(-1));
        Directory.CreateDirectory(folder);
        await UntilAsync(() => _cli.Json.GetProperty("trouble").GetString()!.Length == 0, "trigger", "show", "later", "--json");

        _cli.Json.GetProperty("trouble-since").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
    }

    /// <summary>Repeats a command until it says what is expected: workers say what they offer, and places are looked at, now and then.</summary>
    private async Task UntilAsync(Func<bool> isSaid, params string[] command)
    {
        for (var limit = Stopwatch.StartNew(); await _cli.CallAsync([.. command, .. _there]) != 0 || !isSaid(); await Task.Delay(100))
            limit.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(2), $"{_cli.Output}{_cli.Error}");
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
