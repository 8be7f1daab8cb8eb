using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text;
using Espalier.TestKit.Servers;

namespace Espalier.Integration.Tests.Platform;

/// <summary>
/// The platform as a user starts it: <c>espalier up</c>, a run, kills, <c>espalier down</c>. Everything real: RabbitMQ with an
/// account per service, PostgreSQL, Azurite, every service a process. One long walk, because the start is what costs.
/// </summary>
[Collection(Distributed.ServersCollection.Name)] // not beside other tests that start many processes
public sealed class UpTests : IAsyncLifetime
{
    private const string Pipeline = """
        name: small
        stages:
          base:
            uses: train
            with: { model: { family: olmoe, layers: 1, hidden: 16, heads: 2, experts: 2, top-k: 1, expert-size: 8, vocabulary: bytes },
                    data: "file:text.txt", tokens: 4k, length: 32, batch: 4, seed: 3 }
          grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2, seed: 3 } }
          scores: { uses: evaluate, needs: [base, grown], with: { tasks: [validation-loss], data: "file:text.txt", length: 32, xz: false } }
          release: { uses: register, needs: [grown, scores], with: { name: small, alias: candidate } }
        """;

    private static readonly string[] StepSpans = ["step claim", "step attempt", "step work", "stage", "step commit", "step finish"];
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("up-");
    private OtlpReceiver _telemetry = null!;
    private CliProcess _cli = null!;

    private string Home => Path.Combine(_folder.FullName, "home");

    public async Task InitializeAsync()
    {
        _telemetry = await OtlpReceiver.StartAsync();
        _cli = new CliProcess(Home, new Dictionary<string, string>
        {
            ["ESPALIER__TELEMETRY__ENDPOINT"] = _telemetry.Address.ToString(),
            ["ESPALIER__TELEMETRY__PROTOCOL"] = "http",
        });
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "small.yaml"), Pipeline);
        await File.WriteAllTextAsync(
            Path.Combine(_folder.FullName, "text.txt"),
            string.Join(
                "\n\n",
                Enumerable.Range(0, 300).Select(i => $"Line {i} of a text in which {i} times {i} is {i * i}, and the sum of {i} and {i + 1} is {i + i + 1}.")));
    }

    public async Task DisposeAsync()
    {
        await _cli.CallAsync(0, "down");
        await _telemetry.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Up_RunKillsAndDown_LosesNothingTellsNoSecretAndLeavesNothingBehind()
    {
        var up = await _cli.AskAsync("up", "--json", "--workers", "upcycle=2");
        var secrets = Secrets(up);
        await using var tap = await MessageTap.OpenAsync(Port("rabbitmq"), Setting("secrets", "broker-orchestrator"));
        var processes = await ProcessesAsync();
        processes.Values.ShouldAllBe(p => p.Ready);
        processes.Keys.ShouldBe(
            [
                "epmd", "rabbitmq", "postgresql", "azurite", "orchestrator", "registry", "cpt-trainer-1", "upcycler-1", "upcycler-2", "pruner-1",
                "quantizer-1", "evaluator-1",
            ],
            ignoreOrder: true);

        var run = (await _cli.AskAsync("submit", Path.Combine(_folder.FullName, "small.yaml"), "--reason", "a first try", "--json"))
            .GetProperty("run").GetGuid();
        (await _cli.AskAsync("runs", $"{run}", "--json")).GetProperty("reason").GetString().ShouldBe("a first try");
        var lines = (await _cli.CallAsync(0, "watch", $"{run}", "--json"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonSerializer.Deserialize<JsonElement>(l))
            .ToList();
        await CheckOutcomeAsync(run, lines);
        await CheckRolesAsync(up);
        CheckTrace(run, lines);
        await CheckNamedModelAsync();
        await CheckContextAsync(up);
        var compared = await _cli.AskAsync("repair", "--dry-run", "--json");
        (compared.GetProperty("ok").GetBoolean(), compared.GetProperty("versions").GetInt32()).ShouldBe((true, 1), "it finds the platform's own databases");
        compared.GetProperty("results").GetInt32().ShouldBeGreaterThanOrEqualTo(4);

        var messages = await tap.TakeAsync();
        await KillAsync(processes, "rabbitmq", "postgresql", "orchestrator", "upcycler-1");
        await BackAsync(processes);
        var again = (await _cli.AskAsync("submit", Path.Combine(_folder.FullName, "small.yaml"), "--json")).GetProperty("run").GetGuid();
        var second = JsonSerializer.Deserialize<JsonElement>((await _cli.CallAsync(0, "watch", $"{again}", "--json")).TrimEnd().Split('\n')[^1]);
        second.GetProperty("steps").GetProperty("grown").GetProperty("state").GetString().ShouldBe("cached", "the ledger, the store and the key survived");
        (await _cli.CallAsync(0, "logs", $"{run}", "base")).ShouldContain("succeeded");

        CheckSecrets(secrets, messages);
        var last = await ProcessesAsync();
        await _cli.CallAsync(0, "down");
        last.Values.ShouldAllBe(p => !Directory.Exists($"/proc/{p.Pid}"));
        (await _cli.AskAsync("status", "--json")).GetProperty("processes").GetArrayLength().ShouldBe(0);
        (await _cli.AskAsync("context", "list", "--json")).GetProperty("current").GetString().ShouldBe("local");
        (await _cli.AskAsync("models", "--json")).GetProperty("models").GetArrayLength().ShouldBe(0, "the home's own registry is another one");
        foreach (
            var metric in new[]
            {
                "espalier.step.attempts",
                "espalier.step.duration",
                "espalier.step.output",
                "espalier.queue.depth",
                "espalier.outbox.depth",
                "espalier.stage.duration",
            })
            _telemetry.Metrics.ShouldContainKey(metric);
    }

    /// <summary>The same keys and roots as the embedded run, in the promised shape.</summary>
    private async Task CheckOutcomeAsync(Guid run, List<JsonElement> lines)
    {
        lines.SkipLast(1).ShouldAllBe(l => l.GetProperty("event").GetString() != "");
        var outcome = lines[^1];
        (outcome.GetProperty("run").GetGuid(), outcome.GetProperty("state").GetString()).ShouldBe((run, "succeeded"));
        var alone = new CliProcess(Path.Combine(_folder.FullName, "alone"), new Dictionary<string, string>());
        var embedded = JsonSerializer.Deserialize<JsonElement>(
            (await alone.CallAsync(0, "run", Path.Combine(_folder.FullName, "small.yaml"), "--json")).TrimEnd());
        Roots(outcome).ShouldBe(Roots(embedded));
        outcome.GetProperty("steps").EnumerateObject().ShouldAllBe(s => s.Value.GetProperty("attempts").GetInt32() == 1);
    }

    private static IEnumerable<string> Roots(JsonElement outcome) =>
        outcome.GetProperty("steps").EnumerateObject().Select(s => $"{s.Name} {s.Value.GetProperty("state")} {s.Value.GetProperty("root")}");

    /// <summary>No key, no answer; a viewer only looks; the registry asks the orchestrator; a key that is taken away opens nothing.</summary>
    private async Task CheckRolesAsync(JsonElement up)
    {
        const string Best = """{"version":1,"reason":"the only one"}""";
        var (orchestrator, registry) = (up.GetProperty("orchestrator").GetString()!, up.GetProperty("registry").GetString()!);
        var viewer = (await _cli.AskAsync("keys", "create", "--name", "eve", "--role", "viewer", "--json")).GetProperty("key").GetString()!;
        using var client = new HttpClient();
        async Task<HttpStatusCode> StatusAsync(HttpMethod method, string url, string? key, string? json = null)
        {
            using var request = new HttpRequestMessage(method, url);
            if (key is not null)
                request.Headers.Authorization = new("Bearer", key);
            if (json is not null)
                request.Content = new StringContent(json, Encoding.UTF8, "application/json");
            using var answer = await client.SendAsync(request);
            return answer.StatusCode;
        }

        foreach (
            var url in new[] { $"{orchestrator}/api/v1/runs", $"{orchestrator}/api/v1/status", $"{orchestrator}/api/v1/queues", $"{registry}/api/v1/models" })
        {
            (await StatusAsync(HttpMethod.Get, url, null)).ShouldBe(HttpStatusCode.Unauthorized, url);
            (await StatusAsync(HttpMethod.Get, url, viewer)).ShouldBe(HttpStatusCode.OK, url);
        }
        (await StatusAsync(HttpMethod.Post, $"{orchestrator}/api/v1/runs", viewer)).ShouldBe(HttpStatusCode.Forbidden);
        (await StatusAsync(HttpMethod.Get, $"{orchestrator}/api/v1/keys", viewer)).ShouldBe(HttpStatusCode.Forbidden);
        (await StatusAsync(HttpMethod.Put, $"{registry}/api/v1/models/small/aliases/best", viewer, Best)).ShouldBe(HttpStatusCode.Forbidden);
        (
            await StatusAsync(
                HttpMethod.Put, $"{registry}/api/v1/models/small/aliases/best", up.GetProperty("key").GetString(), Best)).ShouldBe(HttpStatusCode.OK);
        await _cli.CallAsync(0, "keys", "revoke", "eve");
        (await StatusAsync(HttpMethod.Get, $"{orchestrator}/api/v1/runs", viewer)).ShouldBe(HttpStatusCode.Unauthorized);
        (await _cli.CallAsync(0, "keys", "list")).ShouldNotContain("eve");
    }

    /// <summary>A pipeline may begin with a model of the registry; a name that is not there is refused before anything runs.</summary>
    private async Task CheckNamedModelAsync()
    {
        async Task<string> WriteAsync(string alias)
        {
            var file = Path.Combine(_folder.FullName, $"{alias}.yaml");
            await File.WriteAllTextAsync(
                file,
                $"name: named\nstages:\n  wider: {{ uses: upcycle, with: {{ from: 'model:small@{alias}', method: copy, multiplier: 2, seed: 4 }} }}\n");
            return file;
        }

        var run = (await _cli.AskAsync("submit", await WriteAsync("candidate"), "--json")).GetProperty("run").GetGuid();
        var end = JsonSerializer.Deserialize<JsonElement>((await _cli.CallAsync(0, "watch", $"{run}", "--json")).TrimEnd().Split('\n')[^1]);
        end.GetProperty("steps").GetProperty("wider").GetProperty("state").GetString().ShouldBe("succeeded");
        (await _cli.CallAsync(2, "submit", await WriteAsync("nowhere"), "--json")).ShouldNotContain("\"run\"");
    }

    /// <summary>Once the platform is up, commands work on it; the orchestrator's front page leads to the portal.</summary>
    private async Task CheckContextAsync(JsonElement up)
    {
        (await _cli.AskAsync("context", "list", "--json")).GetProperty("current").GetString().ShouldBe("platform");
        var models = (await _cli.AskAsync("models", "small", "--json")).GetProperty("models");
        var root = models[0].GetProperty("root").GetString();
        (await _cli.AskAsync("export", "small@candidate", Path.Combine(_folder.FullName, "exported"), "--json")).GetProperty("root").GetString().ShouldBe(root);
        (await _cli.AskAsync("verify", "small@candidate", "--json")).GetProperty("ok").GetBoolean().ShouldBeTrue();
        (await _cli.AskAsync("models", "--context", "local", "--json")).GetProperty("models").GetArrayLength().ShouldBe(0);
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        using var front = await client.GetAsync(up.GetProperty("orchestrator").GetString());
        front.Headers.Location.ShouldBe(new Uri(up.GetProperty("portal").GetString()!));
    }

    /// <summary>One trace from the submission to the last commit, over every service that took part.</summary>
    private void CheckTrace(Guid run, List<JsonElement> lines)
    {
        var root = lines.First(l => l.GetProperty("event").GetString() == "run-traced").GetProperty("trace-parent").GetString()!.Split('-');
        var limit = Stopwatch.StartNew();
        List<ReceivedSpan> trace;
        do
            trace = [.. _telemetry.Spans.Where(s => s.Trace == root[1])];
        while (StepSpans.Any(n => trace.Count(s => s.Name == n) < 5) && limit.Elapsed < Deadline && SpinWait.SpinUntil(() => false, 100) == false);

        trace.ShouldContain(s => s.Name == "run submit" && s.Span == root[2]);
        foreach (var name in StepSpans)
            trace.Count(s => s.Name == name).ShouldBe(5, $"{name} of run {run}: four steps and the dataset");
        trace.Select(s => s.Service)
            .Distinct()
            .ShouldBe(
                ["espalier-orchestrator", "espalier-cpt-trainer", "espalier-upcycler", "espalier-evaluator", "espalier-registry", "espalier-work-process"],
                ignoreOrder: true);
        var known = trace.Select(s => s.Span).ToHashSet();
        trace.Where(s => StepSpans.Contains(s.Name)).ShouldAllBe(s => known.Contains(s.Parent));
    }

    private void CheckSecrets(IReadOnlyDictionary<string, string> secrets, IReadOnlyList<string> messages)
    {
        secrets.Count.ShouldBeGreaterThan(10);
        messages.Count.ShouldBeGreaterThan(10);
        foreach (var (name, secret) in secrets)
        {
            foreach (var log in Directory.EnumerateFiles(Path.Combine(Home, "platform", "logs")))
                File.ReadAllText(log).Contains(secret, StringComparison.Ordinal).ShouldBeFalse($"{name} is in {log}");
            messages.Any(m => m.Contains(secret, StringComparison.Ordinal)).ShouldBeFalse($"{name} is in a message");
            _telemetry.Bodies.Any(b => Encoding.UTF8.GetString(b).Contains(secret, StringComparison.Ordinal)).ShouldBeFalse($"{name} is in telemetry");
        }
    }

    private Dictionary<string, string> Secrets(JsonElement up)
    {
        var secrets = Settings().GetProperty("secrets").EnumerateObject().ToDictionary(s => s.Name, s => s.Value.GetString()!);
        secrets["store-account-key"] = Convert.ToBase64String(Convert.FromHexString(secrets["store-account"]));
        secrets["key"] = up.GetProperty("key").GetString()!;
        return secrets;
    }

    private JsonElement Settings() => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(Home, "platform", "settings.json")));

    private int Port(string name) => Settings().GetProperty("ports").GetProperty(name).GetInt32();

    private string Setting(string group, string name) => Settings().GetProperty(group).GetProperty(name).GetString()!;

    private async Task<Dictionary<string, (int Pid, bool Ready)>> ProcessesAsync() =>
        (await _cli.AskAsync("status", "--json")).GetProperty("processes").EnumerateArray()
            .ToDictionary(
                p => p.GetProperty("name").GetString()!,
                p => (p.GetProperty("pid").ValueKind == JsonValueKind.Number ? p.GetProperty("pid").GetInt32() : 0, p.GetProperty("ready").GetBoolean()));

    private static async Task KillAsync(Dictionary<string, (int Pid, bool Ready)> processes, params string[] names)
    {
        foreach (var name in names)
            await Espalier.TestKit.Servers.ServerProcess.RunAsync("kill", "-9", $"{processes[name].Pid}");
    }

    /// <summary>Waits until every process is ready again, the killed ones under new ids.</summary>
    private async Task BackAsync(Dictionary<string, (int Pid, bool Ready)> before)
    {
        var limit = Stopwatch.StartNew();
        while (true)
        {
            var now = await ProcessesAsync();
            if (now.Values.All(p => p.Ready) && now["rabbitmq"].Pid != before["rabbitmq"].Pid && now["orchestrator"].Pid != before["orchestrator"].Pid)
                return;
            if (limit.Elapsed > Deadline)
                throw new TimeoutException(string.Join(", ", now));
        }
    }
}
