using System.Net.Http.Headers;
using System.Net.Http.Json;
using Espalier.Contracts;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Microsoft.Playwright;

namespace Espalier.Portal.Tests;

/// <summary>
/// The platform as it is deployed, with a browser before it: RabbitMQ, PostgreSQL, orchestrator, registry with the portal, a trainer,
/// an evaluator and the test stage, each a process.
/// </summary>
public sealed class PortalSite : IAsyncLifetime
{
    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync",
    ];

    private const string Model = "orchard";
    private readonly BrokerAndDatabase _servers = new();
    private readonly Dictionary<string, string> _keys = new() { ["admin"] = DistributedPlatform.Key };
    private readonly Dictionary<string, string> _sessions = [];
    private DistributedPlatform _platform = null!;
    private ServiceProcess _registry = null!;
    private Task<Guid>? _model;
    private IPlaywright _playwright = null!;

    /// <summary>The browser.</summary>
    public IBrowser Browser { get; private set; } = null!;

    /// <summary>Where the portal is.</summary>
    public Uri Address => _registry.Address;

    /// <summary>The file that steps with a gate wait for.</summary>
    public string Gate => _platform.Gate;

    /// <summary>Where pictures are kept.</summary>
    public string Pictures { get; } = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "screenshots")).FullName;

    /// <summary>The last of what every process has logged.</summary>
    public string Log => _platform.Log;

    /// <summary>Starts everything.</summary>
    public async Task InitializeAsync()
    {
        if (!File.Exists(Path.Combine(Path.GetDirectoryName(Repository.Assembly("services/Registry"))!, "portal", "index.html")))
        {
            throw new InvalidOperationException(
                "The portal is not built: node services/Registry/Portal/build.mjs, then build again. ./espalier test does both.");
        }
        var browser = OpenBrowserAsync();
        await _servers.InitializeAsync();
        _platform = await DistributedPlatform.StartAsync(_servers);
        var starting = _platform.StartWorkerAsync(
            "services/Registry",
            ("registry:database", await _servers.Database.NewDatabaseAsync()),
            ("portal:orchestrator", _platform.Orchestrator.Address.ToString()),
            ("portal:wrong-keys-per-minute", "5"));
        var workers = new[] { "services/CptTrainer", "services/Evaluator", "tests/TestKit/NoopService" }.Select(w => _platform.StartWorkerAsync(w));
        await Task.WhenAll([starting, .. workers, browser]);
        _registry = await starting;
        await _platform.StagesAsync("train", "evaluate", "register", "noop");
        foreach (var role in new[] { "viewer", "submitter", "promoter" })
            _keys[role] = await NewKeyAsync(role);
    }

    /// <summary>The key of a role.</summary>
    public string KeyOf(string role) => _keys[role];

    /// <summary>A client of the HTTP API with the key of a role.</summary>
    public HttpClient Client(string role)
    {
        var client = new HttpClient { BaseAddress = Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", KeyOf(role));
        return client;
    }

    /// <summary>A browser profile of its own, not signed in.</summary>
    public Task<PortalVisit> VisitAsync(bool isDark = false, int width = 1360, int height = 900) => PortalVisit.OpenAsync(this, null, isDark, width, height);

    /// <summary>A browser profile of its own at a page, signed in by a key of a role: the first by typing it, the next with the same session.</summary>
    public async Task<PortalVisit> VisitAsAsync(string role, string path = "/", bool isDark = false, int width = 1360, int height = 900)
    {
        if (!_sessions.TryGetValue(role, out var session))
        {
            await using var first = await VisitAsync();
            await first.SignInAsync(KeyOf(role));
            _sessions[role] = session = await first.SessionAsync();
        }
        var visit = await PortalVisit.OpenAsync(this, session, isDark, width, height);
        await visit.Page.GotoAsync(path);
        await visit.Page.GetByRole(AriaRole.Navigation).WaitForAsync();
        return visit;
    }

    /// <summary>Starts a run over the portal's own address.</summary>
    public async Task<Guid> SubmitAsync(string yaml)
    {
        using var client = Client("admin");
        using var answer = await client.PostAsync("/api/v1/runs", new StringContent(yaml));
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;
    }

    /// <summary>The name of a model with two versions, made once: the second was trained for longer.</summary>
    public async Task<string> ModelAsync()
    {
        await ModelRunAsync();
        return Model;
    }

    /// <summary>The run that made the model.</summary>
    public Task<Guid> ModelRunAsync() => _model ??= MakeModelAsync();

    /// <summary>Adds a pipeline under its name in the name of a role's key.</summary>
    public async Task AddAsync(string role, string name, string yaml)
    {
        using var client = Client(role);
        using var answer = await client.PutAsync($"/api/v1/pipelines/{name}?file={name}.yaml", new StringContent(yaml));
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The file in which the store keeps a blob.</summary>
    public string BlobOf(string digest) =>
        Directory.EnumerateFiles(Path.Combine(Path.GetDirectoryName(Gate)!, "store"), digest[2..], SearchOption.AllDirectories)
            .Single(path => Path.GetDirectoryName(path)!.EndsWith(digest[..2], StringComparison.Ordinal));

    /// <summary>Waits for the end of a run.</summary>
    public async Task EndAsync(Guid run)
    {
        var ended = await _platform.EndAsync(run, TimeSpan.FromMinutes(5));
        ended.State.ShouldBe(RunState.Succeeded, string.Join('\n', ended.Steps.Select(s => $"{s.Name} {s.State} {s.Message}")));
    }

    /// <summary>Streams of events that the portal's server has open now.</summary>
    public async Task<int> StreamsAsync()
    {
        using var client = new HttpClient { BaseAddress = Address };
        var line = (await client.GetStringAsync("/metrics")).Split('\n').LastOrDefault(l => l.StartsWith("espalier_portal_streams", StringComparison.Ordinal));
        return line is null ? 0 : int.Parse(line.Split("} ")[^1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Stops everything.</summary>
    public async Task DisposeAsync()
    {
        if (Browser is not null)
            await Browser.DisposeAsync();
        _playwright?.Dispose();
        if (_platform is not null)
            await _platform.DisposeAsync();
        await _servers.DisposeAsync();
    }

    private async Task<Guid> MakeModelAsync()
    {
        var run = await SubmitAsync(Pipelines.Grown(Model, 11));
        await EndAsync(run);
        return run;
    }

    private async Task OpenBrowserAsync()
    {
        var chromium = new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists)
            ?? throw new InvalidOperationException("There is no browser: apt-get install chromium.");
        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = chromium, Headless = true, Args = Arguments });
    }

    private async Task<string> NewKeyAsync(string role)
    {
        using var client = Client("admin");
        using var answer = await client.PostAsync($"/api/v1/keys?name=portal-{role}&role={role}", null);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<System.Text.Json.JsonElement>()).GetProperty("key").GetString()!;
    }
}

[CollectionDefinition(Name)]
public sealed class PortalCollection : ICollectionFixture<PortalSite>
{
    public const string Name = "portal";
}
