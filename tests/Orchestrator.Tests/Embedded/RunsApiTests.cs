using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Hosting;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.TestKit.Services.Embedded;
using Espalier.TestKit.Services.Http;
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
    public async Task List_PageAfterPageAndChosen_HasEveryRunOnce()
    {
        var runs = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            using var answer = await _client.PostAsync($"/api/v1/runs?param.text=page{i}", new StringContent(Yaml));
            runs.Add($"{(await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId}");
            await _client.GetStringAsync($"/api/v1/runs/{runs[^1]}/events"); // until it has ended
        }

        var first = await IdsAsync("limit=2");
        var second = await IdsAsync($"limit=2&before={first[^1]}");
        var third = await IdsAsync($"limit=2&before={second[^1]}");

        string[] all = [.. first, .. second, .. third];
        all.ShouldBe(Enumerable.Reverse(runs));
        (await IdsAsync("state=succeeded&name=http")).Count.ShouldBe(5);
        (await IdsAsync($"state=succeeded&pipeline=http&limit=2&after={second[^1]}")).ShouldBe(third);
        (await IdsAsync("state=failed")).ShouldBeEmpty();
        (await IdsAsync("name=other")).ShouldBeEmpty();
        (await IdsAsync($"id={runs[2][..20]}")).ShouldBe([runs[2]]);
        (await IdsAsync("id=tiny")).ShouldBeEmpty();
        (await IdsAsync("order=created&limit=3")).ShouldBe(runs[..3]);
        (await IdsAsync($"order=created&after={runs[2]}")).ShouldBe(runs[3..]);
    }

    [Theory]
    [InlineData("state=done", "There is no state 'done': expected one of queued, running, succeeded, failed, cancelled.")]
    [InlineData("before=0199c2f4-0000-7000-8000-000000000001", "There is no run 0199c2f4-0000-7000-8000-000000000001 behind which a list could go on.")]
    [InlineData(
        "order=size",
        "There is no order 'size': expected created, name, duration; 'desc' behind it turns it round (duration desc: the longest first).")]
    [InlineData("order=duration&archived=true", "Archived runs are not ordered by duration: order them by created or name.")]
    public async Task List_OfWhatThereIsNot_SaysWhatThereIs(string query, string reason)
    {
        using var answer = await _client.GetAsync($"/api/v1/runs?{query}");

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("detail").GetString().ShouldBe(reason);
    }

    private async Task<IReadOnlyList<string>> IdsAsync(string query) =>
        [.. (await _client.GetFromJsonAsync<JsonElement>($"/api/v1/runs?{query}")).EnumerateArray().Select(r => r.GetProperty("run-id").GetString()!)];

    [Fact]
    public async Task Run_ByNameOrFirstDigits_IsFoundAtEveryPath()
    {
        var ids = new[] { "0199c2f4-aaaa-7000-8000-000000000001", "0199c2f4-bbbb-7000-8000-000000000002" };
        foreach (var id in ids)
        {
            using var answer = await _client.PostAsync($"/api/v1/runs?id={id}", new StringContent(Yaml));
            (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.Label.ShouldBe($"http#{Array.IndexOf(ids, id) + 1}");
        }
        (await IdsAsync("pipeline=http&ordinal=2")).ShouldBe([ids[1]]);
        (await IdsAsync($"limit=1&after={ids[1]}")).ShouldBe([ids[0]]);

        (await LeadAsync("http%232")).ShouldBe((HttpStatusCode.TemporaryRedirect, $"/api/v1/runs/{ids[1]}"));
        (await LeadAsync("http%231/log?level=error")).ShouldBe((HttpStatusCode.TemporaryRedirect, $"/api/v1/runs/{ids[0]}/log?level=error"));
        (await LeadAsync("0199c2f4-b")).ShouldBe((HttpStatusCode.TemporaryRedirect, $"/api/v1/runs/{ids[1]}"));
        (await LeadAsync("0199c2f4aa/steps/a%0Ab/report")).ShouldBe((HttpStatusCode.TemporaryRedirect, $"/api/v1/runs/{ids[0]}/steps/a%0Ab/report"));
        (await LeadAsync("0199c2f4")).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await LeadAsync("http%233")).Status.ShouldBe(HttpStatusCode.NotFound);
        (await LeadAsync("http%231", withKey: false)).Status.ShouldBe(HttpStatusCode.Unauthorized);
    }

    private async Task<(HttpStatusCode Status, string? Location)> LeadAsync(string path, bool withKey = true)
    {
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = _client.BaseAddress };
        client.DefaultRequestHeaders.Authorization = withKey ? _client.DefaultRequestHeaders.Authorization : null;
        using var answer = await client.GetAsync($"/api/v1/runs/{path}");
        return (answer.StatusCode, answer.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task Log_ChosenByLevelTextAndStep_AsJsonAndAsAFile()
    {
        const string Failing = "name: noisy\nstages:\n  a: { uses: noop }\n  b: { uses: noop, needs: a, with: { behaviour: user-error } }\n";
        using var answer = await _client.PostAsync("/api/v1/runs", new StringContent(Failing));
        var run = (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;
        await _client.GetStringAsync($"/api/v1/runs/{run}/events"); // until it has ended

        var errors = await LinesAsync("level=error");
        errors.Select(l => (l.Step, l.Level)).ShouldBe([("b", LogLineLevel.Error), ("", LogLineLevel.Error)], ignoreOrder: true);
        errors.Single(l => l.Step == "b").Text.ShouldContain("Set 'text' to something else.");
        (await LinesAsync("search=SOMETHING")).ShouldAllBe(l => l.Text.Contains("something", StringComparison.Ordinal));
        (await LinesAsync("search=something&step=a")).ShouldBeEmpty();
        var all = await LinesAsync("");
        (await LinesAsync($"after={all[2].Id}")).ShouldBe(all.Where(l => l.Id > all[2].Id));

        (await LinesAsync("last=3")).ShouldBe(all.TakeLast(3));

        using var file = await _client.GetAsync($"/api/v1/runs/{run}/log?format=text");
        file.Content.Headers.ContentType!.MediaType.ShouldBe("text/plain");
        file.Content.Headers.ContentDisposition!.FileName.ShouldBe("noisy-1.log");
        (await file.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldBe(all.Select(l => l.ToString()));

        foreach (var wrong in new[] { "level=loud", "format=xml", "last=0" })
        {
            using var refused = await _client.GetAsync($"/api/v1/runs/{run}/log?{wrong}");
            refused.StatusCode.ShouldBe(HttpStatusCode.BadRequest, wrong);
        }

        async Task<IReadOnlyList<RunLogLine>> LinesAsync(string query) =>
            (await _client.GetFromJsonAsync<List<RunLogLine>>($"/api/v1/runs/{run}/log?{query}", WireJson.Options))!;
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

    [Fact]
    public async Task Submit_SameIdWithAnotherFileOrParameter_IsAConflict()
    {
        var id = Guid.NewGuid();

        (await SubmitAsync(id, Yaml)).ShouldBe(HttpStatusCode.Accepted);
        (await SubmitAsync(id, Yaml)).ShouldBe(HttpStatusCode.Accepted);
        (await SubmitAsync(id, Yaml.Replace("name: http", "name: other", StringComparison.Ordinal))).ShouldBe(HttpStatusCode.Conflict);
        (await SubmitAsync(id, Yaml, "&param.text=other")).ShouldBe(HttpStatusCode.Conflict);

        (await _client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{id}")).GetProperty("name").GetString().ShouldBe("http");
    }

    private async Task<HttpStatusCode> SubmitAsync(Guid id, string yaml, string more = "")
    {
        using var answer = await _client.PostAsync($"/api/v1/runs?id={id}{more}", new StringContent(yaml));
        return answer.StatusCode;
    }

    [Fact]
    public async Task Check_AsViewer_IsForbidden()
    {
        var viewer = await _app.Services.GetRequiredService<ApiKeys>().CreateAsync("viewer", ApiRole.Viewer, default);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/pipelines/check") { Content = new StringContent(Yaml) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", viewer);

        (await _client.SendAsync(request)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public Task Routes_AnyText_NeverAnswer500() => RouteFuzz.RunAsync(_app, _client, Yaml, iterations: 250);

    [Fact]
    public async Task Readyz_StoreGone_SaysSoAndStatusToo()
    {
        _ = _app.Services.GetRequiredService<Espalier.Artifacts.ArtifactStore>();
        Directory.Delete(Path.Combine(_folder.FullName, "store", "records"));

        using var ready = await _client.GetAsync("/readyz");
        var status = await _client.GetFromJsonAsync<JsonElement>("/api/v1/status");

        ready.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        var check = JsonDocument.Parse(await ready.Content.ReadAsStringAsync()).RootElement.GetProperty("checks").GetProperty("store");
        check.GetProperty("status").GetString().ShouldBe("unhealthy");
        check.GetProperty("description").GetString()!.ShouldContain("The artifact store");
        status.GetProperty("store").GetProperty("answers").GetBoolean().ShouldBeFalse();
        status.GetProperty("store").GetProperty("problem").GetString()!.ShouldContain("The artifact store");
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
