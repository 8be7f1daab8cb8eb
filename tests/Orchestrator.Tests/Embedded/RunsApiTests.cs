using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Hosting;
using Espalier.Orchestrator.Api;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.TestKit.Services.Embedded;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Orchestrator.Tests.Embedded;

public sealed class RunsApiTests : IAsyncLifetime
{
    private const string Yaml = "name: http\nparams: { text: x }\nstages:\n  a: { uses: noop, with: { text: \"${text}\" } }\n";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("api-");
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        string[] args =
        [
            $"--orchestrator:connection=Data Source={Path.Combine(_folder.FullName, "ledger.db")}",
            "--orchestrator:sweep-interval=00:00:00.1",
            $"--store:location=file:{Path.Combine(_folder.FullName, "store")}",
            $"--orchestrator-api:key-file={KeyFile}",
        ];
        _app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.Services.AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, Numerics>();
            builder.AddOrchestratorService();
            builder.Services.AddStageWorker(new StageWorkerOptions { CacheFolder = _folder.FullName, PollInterval = TimeSpan.FromSeconds(1) });
            builder.Logging.ClearProviders();
        }, app => app.MapRunsApi());
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(KeyFile)).Trim());
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    private string KeyFile => Path.Combine(_folder.FullName, "admin.key");

    [Fact]
    public async Task Submit_WithKey_RunsAndStreamsItsEvents()
    {
        using var answer = await _client.PostAsync("/api/v1/runs?param.text=hello", new StringContent(Yaml));
        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var run = (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;

        var events = await _client.GetStringAsync($"/api/v1/runs/{run}/events");
        var view = await _client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}");

        events.ShouldContain("event: run-state-changed");
        events.ShouldContain("\"state\":\"succeeded\"");
        view.GetProperty("state").GetString().ShouldBe("succeeded");
        view.GetProperty("steps")[0].GetProperty("outputs").GetProperty("model").GetProperty("root").GetString()!.Length.ShouldBe(64);
    }

    [Fact]
    public async Task Submit_WrongFile_ListsProblemsWithTheirPlaces()
    {
        using var answer = await _client.PostAsync("/api/v1/runs", new StringContent("name: x\nstages:\n  a: { uses: nop }\n"));

        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        var problem = (await answer.Content.ReadFromJsonAsync<RunRejected>(WireJson.Options))!.Problems[0];
        problem.Line.ShouldBe(3);
        problem.Message.ShouldContain("noop");
    }

    [Fact]
    public async Task Request_WithoutOrWithTooSmallAKey_IsRefused()
    {
        var keys = _app.Services.GetRequiredService<ApiKeys>();
        var viewer = await keys.CreateAsync("test", ApiRole.Viewer, default);

        (await SendAsync(HttpMethod.Get, null)).ShouldBe(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Get, "wrong")).ShouldBe(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Get, viewer)).ShouldBe(HttpStatusCode.OK);
        (await SendAsync(HttpMethod.Post, viewer)).ShouldBe(HttpStatusCode.Forbidden);
        if (!OperatingSystem.IsWindows())
            File.GetUnixFileMode(KeyFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task Readyz_EverythingUp_IsHealthy()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!(await _client.GetAsync("/readyz", deadline.Token)).IsSuccessStatusCode)
            await Task.Delay(20, deadline.Token);
    }

    private async Task<HttpStatusCode> SendAsync(HttpMethod method, string? key)
    {
        using var request = new HttpRequestMessage(method, "/api/v1/runs") { Content = method == HttpMethod.Post ? new StringContent(Yaml) : null };
        using var client = new HttpClient { BaseAddress = _client.BaseAddress };
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
