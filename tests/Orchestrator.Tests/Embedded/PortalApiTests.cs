using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Net;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Events;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Resolution;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.TestKit.Services.Embedded;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>What the orchestrator answers to the portal.</summary>
public sealed class PortalApiTests : IAsyncLifetime
{
    private const string Key = "esp_0123456789abcdef0123456789abcdef";
    private const string Yaml = "name: chain\nstages:\n  a: { uses: noop, with: { text: a } }\n  b: { uses: noop, needs: a, with: { text: b } }\n";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("portal-api-");
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        string[] args =
        [
            $"--orchestrator:connection=Data Source={Path.Combine(_folder.FullName, "ledger.db")}",
            "--orchestrator:sweep-interval=00:00:00.1",
            $"--store:location=file:{Path.Combine(_folder.FullName, "store")}",
            $"--orchestrator-api:key={Key}",
        ];
        _app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.Services
                .AddSingleton<NoopHooks>()
                .AddSingleton<IStage, NoopStage>()
                .AddSingleton<INumericsClass, Numerics>()
                .AddSingleton<IOfferedEstimates, Estimates>();
            builder.AddOrchestratorService();
            builder.Services.AddStageWorker(new StageWorkerOptions { CacheFolder = _folder.FullName, PollInterval = TimeSpan.FromSeconds(1) });
            builder.Logging.ClearProviders();
        }, app => app.MapRunsApi());
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Check_WrongFile_NamesEveryPlaceAndStartsNothing()
    {
        await EndAsync(await SubmitAsync()); // from then on the stage is known

        var check = await CheckAsync("name: x\nstages:\n  a: { uses: noop, with: { txt: y } }\n  b: { uses: noop, needs: c }\n");

        check.Plan.ShouldBeNull();
        check.Problems.Select(p => p.Line).ShouldBe([3, 4], ignoreOrder: true);
        check.Problems.ShouldContain(p => p.Message.Contains("text"));
        (await _client.GetFromJsonAsync<List<RunView>>("/api/v1/runs", WireJson.Options))!.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Check_FileThatRanBefore_KnowsWhatIsCached()
    {
        await EndAsync(await SubmitAsync());

        var plan = (await CheckAsync(Yaml.Replace("text: b", "text: other"))).Plan!;

        plan.Steps.Select(s => (s.Name, s.IsCached)).ShouldBe([("a", true), ("b", false)]);
        plan.Steps.ShouldAllBe(s => s.Key != null && s.IsOffered);
        plan.Steps.Select(s => s.Reason).ShouldBe(["its result is in the store", "options.text: \"b\" before, \"other\" now"]);
    }

    [Fact]
    public async Task Check_WorkerThatEstimates_IsAskedForCosts()
    {
        await EndAsync(await SubmitAsync());

        var plan = (await CheckAsync(Yaml.Replace("text: b", "text: abc"))).Plan!;

        plan.Steps.Select(s => (s.NewBytes, s.MemoryBytes)).ShouldBe([(0, null), (3, 300)]);
        (plan.Steps[1].Decision, plan.Steps[1].Seconds > 0).ShouldBe((StepDecision.Runs, true), "step b ran before");
        (await CheckAsync(Yaml.Replace("text: b", "text: refused"))).Plan!.Steps[1].Reason.ShouldBe("no such text");
    }

    [Fact]
    public async Task Rerun_FromTheSecondStep_ComputesItAgainAndTakesTheFirstFromTheCache()
    {
        var first = await EndAsync(await SubmitAsync());

        using var answer = await _client.PostAsync($"/api/v1/runs/{first.RunId}/steps/b/rerun", null);
        var second = await EndAsync((await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId);

        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        second.RunId.ShouldNotBe(first.RunId);
        second.Steps.Select(s => (s.Name, s.State)).ShouldBe([("a", StepState.Cached), ("b", StepState.Succeeded)]);
        second.Steps.Select(s => s.Outputs["model"].Root).ShouldBe(first.Steps.Select(s => s.Outputs["model"].Root));
    }

    [Fact]
    public async Task Source_OfARun_IsWhatWasSubmitted()
    {
        var run = await SubmitAsync();

        var source = await _client.GetFromJsonAsync<RunSource>($"/api/v1/runs/{run}/source", WireJson.Options);

        source!.Pipeline.ShouldBe(Yaml);
        (await _client.GetAsync($"/api/v1/runs/{Guid.NewGuid()}/source")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Report_StepWithoutOne_SaysSo()
    {
        var run = await EndAsync(await SubmitAsync());

        using var answer = await _client.GetAsync($"/api/v1/runs/{run.RunId}/steps/a/report");

        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("report");
    }

    [Fact]
    public async Task Events_OfAllRuns_TellOfARunThatStartsLater()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var stream = await _client.GetStreamAsync("/api/v1/runs/events", limit.Token);
        var events = SseParser.Create(stream).EnumerateAsync(limit.Token).GetAsyncEnumerator(limit.Token);
        await events.MoveNextAsync();
        events.Current.EventType.ShouldBe("tick");

        var run = await SubmitAsync();
        var states = new List<string>();
        while (!states.Contains("succeeded") && await events.MoveNextAsync())
        {
            if (events.Current.EventType == "run-state-changed" && events.Current.Data.Contains(run.ToString(), StringComparison.Ordinal))
                states.Add(JsonDocument.Parse(events.Current.Data).RootElement.GetProperty("state").GetString()!);
        }

        states.ShouldBe(["queued", "running", "succeeded"]);
    }

    /// <summary>What all tabs of a browser follow: the changes of every run, one run from its beginning, and one that is not there.</summary>
    [Fact]
    public async Task Live_SeveralTopics_ComeInOneStreamEachWithItsPositions()
    {
        var before = await EndAsync(await SubmitAsync());
        var missing = Guid.NewGuid();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var path = $"/api/v1/runs/live?topic=runs:&topic=run.{before.RunId}:0&topic=run.{missing}:0";
        using var stream = await _client.GetStreamAsync(path, limit.Token);
        var heard = new List<LiveEvent>();
        Guid? later = null;

        await foreach (var item in SseParser.Create(stream).EnumerateAsync(limit.Token))
        {
            heard.Add(JsonSerializer.Deserialize<LiveEvent>(item.Data, JsonSerializerOptions.Web)!);
            if (later is null && heard.Count(e => e.Name == LiveEvent.End) == 2)
                later = await SubmitAsync();
            if (later is { } run && heard.Any(
                e => e.Topic == "runs" && e.Data.Contains($"{run}") && e.Data.Contains("succeeded") && e.Name == "run-state-changed"))
                break;
        }

        var ofRun = heard.Where(e => e.Topic == $"run.{before.RunId}").ToList();
        ofRun[0].Name.ShouldBe("tick");
        ofRun[^1].Name.ShouldBe(LiveEvent.End);
        ofRun.ShouldContain(e => e.Name == "step-state-changed" && e.Id > 0);
        heard.Where(e => e.Topic == $"run.{missing}").Select(e => e.Name).ShouldBe(["tick", LiveEvent.End]);
        heard.Where(e => e.Topic == "runs" && e.Name != "tick").ShouldAllBe(e => e.Id > ofRun.Max(o => o.Id ?? 0));
    }

    [Theory]
    [InlineData("", "1 to 32 topics")]
    [InlineData("topic=everything:", "'everything:' is not a topic")]
    [InlineData("topic=runs:-1", "'runs:-1' is not a topic")]
    public async Task Live_WrongTopic_SaysWhatIsExpected(string query, string reason)
    {
        using var answer = await _client.GetAsync($"/api/v1/runs/live?{query}");

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("detail").GetString()!.ShouldContain(reason);
    }

    [Fact]
    public async Task Compare_Runs_HasTheirParametersOptionsAndSteps()
    {
        var other = Yaml.Replace("name: chain", "name: chain\nparams: { word: z }").Replace("text: b", "text: \"${word}\"");
        var (first, second) = (await SubmitAsync(), await SubmitAsync(other));

        var compared = (await _client.GetFromJsonAsync<List<ComparedRun>>($"/api/v1/runs/compare?run={first}&run={second}", WireJson.Options))!;

        compared.Select(c => c.Run.RunId).ShouldBe([first, second]);
        compared.Select(c => c.Options["b.text"]).ShouldBe(["b", "z"]);
        compared.Select(c => c.Options["a.text"]).ShouldBe(["a", "a"]);
        compared[1].Run.Steps.Select(s => s.Name).ShouldBe(["a", "b"]);
        var names = string.Join('&', compared.Select(c => $"run={Uri.EscapeDataString(c.Run.Label)}"));
        var named = (await _client.GetFromJsonAsync<List<ComparedRun>>($"/api/v1/runs/compare?{names}&run={first}", WireJson.Options))!;
        named.Select(c => c.Run.RunId).ShouldBe([first, second], "by their names, each once");
        (await _client.GetAsync("/api/v1/runs/compare?run=chain%2399")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await _client.GetAsync($"/api/v1/runs/compare?run={Guid.NewGuid()}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await _client.GetAsync("/api/v1/runs/compare")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task List_OfRuns_CountsTheirSteps()
    {
        await EndAsync(await SubmitAsync());

        var run = (await _client.GetFromJsonAsync<List<RunView>>("/api/v1/runs", WireJson.Options))!.ShouldHaveSingleItem();

        run.Steps.ShouldBeEmpty();
        run.Counts.ShouldNotBeNull().ShouldBe(new Dictionary<string, int> { ["succeeded"] = 2 });
    }

    private async Task<PipelineCheck> CheckAsync(string yaml)
    {
        using var answer = await _client.PostAsync("/api/v1/pipelines/check", new StringContent(yaml));
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return (await answer.Content.ReadFromJsonAsync<PipelineCheck>(WireJson.Options))!;
    }

    private async Task<Guid> SubmitAsync(string yaml = Yaml)
    {
        using var answer = await _client.PostAsync("/api/v1/runs", new StringContent(yaml));
        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        return (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;
    }

    /// <summary>The stream of a run ends with it.</summary>
    private async Task<RunView> EndAsync(Guid run)
    {
        await _client.GetStringAsync($"/api/v1/runs/{run}/events");
        return (await _client.GetFromJsonAsync<RunView>($"/api/v1/runs/{run}", WireJson.Options))!;
    }

    /// <summary>A byte for each character.</summary>
    private sealed class Estimates : IOfferedEstimates
    {
        public IReadOnlyCollection<string> Kinds => ["noop"];

        public Task<StepEstimated?> EstimateAsync(EstimateStep step, CancellationToken cancellationToken)
        {
            var text = step.Options.GetProperty("text").GetString()!;
            return Task.FromResult<StepEstimated?>(text == "refused"
                ? new StepEstimated { Refusal = "no such text" }
                : new StepEstimated { NewBytes = text.Length, MemoryBytes = 100 * text.Length });
        }
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
