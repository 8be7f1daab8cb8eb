using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Triggers;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Services.Embedded;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>Registered pipelines and triggers over HTTP, with the orchestrator's own loops and bus.</summary>
public sealed class TriggersApiTests : IAsyncLifetime
{
    private const string Secret = "correct-horse-battery-staple";
    private const string Yaml =
        """
        name: nightly
        params: { text: none }
        on:
          webhook: { secret: push, params: { text: "${event.body.ref}" } }
          model.registered: { when: event.model == "demo", params: { text: "${event.model} ${event.version}" } }
        stages:
          a: { uses: noop, with: { text: "${text}" } }
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("triggers-");
    private WebApplication _app = null!;
    private HttpClient _ada = null!;

    public async Task InitializeAsync()
    {
        string[] args =
        [
            $"--orchestrator:connection=Data Source={Path.Combine(_folder.FullName, "ledger.db")}", "--orchestrator:sweep-interval=00:00:00.1",
            $"--store:location=file:{Path.Combine(_folder.FullName, "store")}", "--orchestrator-api:key=esp_0123456789abcdef", $"--secrets:push={Secret}",
        ];
        _app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.Services.AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, Numerics>();
            builder.AddOrchestratorService();
            builder.Services.AddStageWorker(new StageWorkerOptions { CacheFolder = _folder.FullName, PollInterval = TimeSpan.FromSeconds(1) });
            builder.Logging.ClearProviders();
        }, app => app.MapRunsApi());
        await _app.StartAsync();
        _ada = await ClientAsync("ada", ApiRole.Submitter);
        await WaitAsync(async () => (await PutAsync(_ada)).StatusCode == HttpStatusCode.OK); // until the worker has said what it offers
    }

    public async Task DisposeAsync()
    {
        _ada.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Pipeline_ByName_IsShownSubmittedAndRemoved()
    {
        using var accepted = await _ada.PostAsync("/api/v1/pipelines/nightly/runs?param.text=mine", null);
        var run = (await accepted.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!;

        accepted.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        run.Note.ShouldBeNull();
        var shown = await _ada.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run.RunId}");
        (shown.GetProperty("pipeline").GetString(), shown.GetProperty("pipeline-version").GetInt32(), shown.GetProperty("owner").GetString())
            .ShouldBe(("nightly", 1, "ada"));
        shown.TryGetProperty("cause", out _).ShouldBeFalse("somebody started it");
        (await _ada.GetFromJsonAsync<PipelineView>("/api/v1/pipelines/nightly", WireJson.Options))!.Pipeline.ShouldBe(Yaml);
        (await _ada.DeleteAsync("/api/v1/pipelines/nightly")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await _ada.GetAsync("/api/v1/pipelines/nightly")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await _ada.GetFromJsonAsync<JsonElement>("/api/v1/pipelines")).GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task File_OnlySubmitted_SaysThatItsTriggersDoNotAct()
    {
        using var accepted = await _ada.PostAsync("/api/v1/runs", new StringContent(Yaml));

        (await accepted.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.Note!.ShouldStartWith(
            "The file has triggers (on: webhook, model.registered). They do not act for a file that is only submitted: espalier pipelines add FILE");
    }

    [Fact]
    public async Task Webhook_Signed_RunsToItsEndWithItsCause()
    {
        using var accepted = await HookAsync(Secret);
        accepted.StatusCode.ShouldBe(HttpStatusCode.Accepted);

        var run = await CauseAsync("nightly.webhook");

        (run.GetProperty("depth").GetInt32(), run.GetProperty("kind").GetString()).ShouldBe((1, "webhook"));
        run.GetProperty("chain").EnumerateArray().Select(c => c.GetString()).ShouldBe(["nightly.webhook"]);
        await WaitAsync(async () => (await EventsAsync()).Any(e => e.Kind == "run.succeeded"));
        (await EventsAsync()).Select(e => (e.Kind, e.Label)).ShouldBe([("run.succeeded", "nightly#1"), ("webhook", null)]);
        (await HookAsync("wrong")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await _ada.GetStringAsync("/api/v1/triggers/events")).ShouldNotContain(Secret);
    }

    [Fact]
    public async Task RegistryEvent_OnTheBus_DeliveredTwice_StartsOneRun()
    {
        var bus = _app.Services.GetRequiredService<IBus>();
        var registered = new ModelRegistered("demo", 4, Digest.Of("x"u8), Guid.Empty) { EventId = Guid.NewGuid() };

        await bus.Publish(registered);
        await bus.Publish(registered);
        await bus.Publish(new ModelRegistered("other", 1, Digest.Of("x"u8), Guid.Empty) { EventId = Guid.NewGuid() });
        await bus.Publish(new AliasMoved("demo", "candidate", 4, null, "ada", "best") { EventId = Guid.NewGuid() });
        await bus.Publish(new GateDecided("demo", "candidate", 4, true, "ada") { EventId = Guid.NewGuid(), Rule = "loss < 3" });
        await CauseAsync("nightly.model.registered");
        await WaitAsync(async () => (await EventsAsync()).Count(e => e.Kind is "model.registered" or "alias.moved" or "gate.decided") == 4);
        await WaitAsync(async () => (await EventsAsync()).Where(e => e.Kind == "model.registered").All(e => e.Firings.Count == 1));

        var runs = await _ada.GetFromJsonAsync<JsonElement>("/api/v1/runs");
        var replay = await _ada.GetFromJsonAsync<TriggerReplay>("/api/v1/triggers/nightly.model.registered/test?last=200", WireJson.Options);

        runs.EnumerateArray().Count(r => r.TryGetProperty("cause", out _)).ShouldBe(1);
        replay!.Items.Select(i => i.State).ShouldBe([FiringState.Started, FiringState.NoMatch], ignoreOrder: true);
        replay.Items.ShouldAllBe(i => i.State == i.Happened!.State);
    }

    [Fact]
    public async Task Rights_AreThoseOfTheCaller()
    {
        using var viewer = await ClientAsync("vic", ApiRole.Viewer);
        using var other = await ClientAsync("eve", ApiRole.Submitter);
        using var admin = await ClientAsync("root", ApiRole.Admin);

        (await PutAsync(viewer)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await viewer.GetAsync("/api/v1/triggers")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await PutAsync(other)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await other.PostAsync("/api/v1/triggers/nightly.webhook/disable", null)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await other.DeleteAsync("/api/v1/pipelines/nightly")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await admin.PostAsync("/api/v1/triggers/nightly.webhook/disable", null)).StatusCode.ShouldBe(HttpStatusCode.OK);
        using var several = await _ada.PostAsync("/api/v1/triggers/nightly/enable", null);
        (several.StatusCode, await several.Content.ReadAsStringAsync()).ShouldSatisfyAllConditions(
            s => s.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity),
            s => s.Item2.ShouldContain("has 2 triggers; name one: nightly.model.registered, nightly.webhook."));
    }

    private async Task<HttpClient> ClientAsync(string name, ApiRole role)
    {
        var client = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer", await _app.Services.GetRequiredService<ApiKeys>().CreateAsync(name, role, default));
        return client;
    }

    private static Task<HttpResponseMessage> PutAsync(HttpClient client) =>
        client.PutAsync("/api/v1/pipelines/nightly?file=nightly.yaml", new StringContent(Yaml));

    private async Task<HttpResponseMessage> HookAsync(string secret)
    {
        const string Body = """{"ref":"main"}""";
        var timestamp = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        using var client = new HttpClient { BaseAddress = _ada.BaseAddress };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/hooks/nightly") { Content = new StringContent(Body) };
        request.Headers.Add(HookSignature.Timestamp, timestamp);
        request.Headers.Add(HookSignature.Signature, HookSignature.Sign(secret, timestamp, Body));
        return await client.SendAsync(request);
    }

    /// <summary>The cause of the first run of a trigger that has ended well.</summary>
    private async Task<JsonElement> CauseAsync(string trigger)
    {
        JsonElement cause = default;
        await WaitAsync(async () => (await _ada.GetFromJsonAsync<JsonElement>("/api/v1/runs")).EnumerateArray().Any(r =>
            r.GetProperty("state").GetString() == "succeeded" && r.TryGetProperty("cause", out cause) && cause.GetProperty("trigger").GetString() == trigger));
        return cause;
    }

    private async Task<IReadOnlyList<TriggerEventView>> EventsAsync() =>
        (await _ada.GetFromJsonAsync<IReadOnlyList<TriggerEventView>>("/api/v1/triggers/events", WireJson.Options))!;

    private static async Task WaitAsync(Func<Task<bool>> until)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(40));
        while (!await until())
            await Task.Delay(50, limit.Token);
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
