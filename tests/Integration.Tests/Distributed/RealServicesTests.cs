using System.Net.Http.Json;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>The whole platform as it is deployed: every service a process, RabbitMQ, PostgreSQL, one store.</summary>
[Collection(ServersCollection.Name)]
public sealed class RealServicesTests(BrokerAndDatabase servers)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Run_TinyPipelineOnRealServices_GivesKeysAndRootsOfTheEmbeddedRun()
    {
        var pipeline = Repository.PathOf("pipelines/tiny.yaml");
        var alone = await EmbeddedRun.RunAsync(pipeline, Limit);
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var registry = await StartServicesAsync(platform);

        var distributed = await platform.EndAsync(await platform.SubmitAsync(await File.ReadAllTextAsync(pipeline)), Limit);

        distributed.State.ShouldBe(RunState.Succeeded, platform.Log);
        distributed.Steps.Select(s => $"{s.Name} {s.Key?.Hex}").ShouldBe(alone.Steps.Select(s => $"{s.Name} {s.Key?.Hex}"));
        Roots(distributed.Steps.Select(s => (s.Name, s.State, s.Outputs))).ShouldBe(Roots(alone.Steps.Select(s => (s.Name, s.State, s.Outputs))));
        await RegisteredAsync(registry, distributed);
    }

    /// <summary>Starts every stage service; returns the registry.</summary>
    private async Task<ServiceProcess> StartServicesAsync(DistributedPlatform platform)
    {
        var registry = platform.StartWorkerAsync("services/Registry", ("registry:database", await servers.Database.NewDatabaseAsync()));
        string[] others = ["services/CptTrainer", "services/Upcycler", "services/Pruner", "services/Quantizer", "services/Evaluator"];
        await Task.WhenAll([registry, .. others.Select(o => platform.StartWorkerAsync(o))]);
        await platform.StagesAsync(
            StageKinds.Train, StageKinds.Upcycle, StageKinds.Prune, StageKinds.Quantize, StageKinds.Evaluate, StageKinds.Register);
        return await registry;
    }

    private static async Task RegisteredAsync(ServiceProcess registry, RunView run)
    {
        using var client = new HttpClient { BaseAddress = registry.Address };
        (await client.GetAsync("/api/v1/models")).StatusCode.ShouldBe(System.Net.HttpStatusCode.Unauthorized);
        client.DefaultRequestHeaders.Authorization = new("Bearer", DistributedPlatform.Key);
        (await client.GetFromJsonAsync<JsonElement>("/api/v1/models"))
            .GetProperty("items")
            .EnumerateArray()
            .Select(m => m.GetProperty("name").GetString())
            .ShouldBe(["tiny-demo"]);
        var versions = await client.GetFromJsonAsync<JsonElement>("/api/v1/models/tiny-demo/versions");

        var version = versions.GetProperty("items").EnumerateArray().ShouldHaveSingleItem();
        (version.GetProperty("model").GetString(), version.GetProperty("version").GetInt32()).ShouldBe(("tiny-demo", 1));
        version.GetProperty("aliases").EnumerateArray().Select(a => a.GetString()).ShouldBe(["candidate"]);
        version.GetProperty("run").GetGuid().ShouldBe(run.RunId);
        version.GetProperty("root").GetString()!.ShouldEndWith(run.Steps.Single(s => s.Name == "int4").Outputs[OutputNames.Model].Root.Hex);
        version.GetProperty("metrics")
            .GetProperty("loss")
            .GetProperty("value")
            .GetDouble()
            .ShouldBe(run.Steps.Single(s => s.Name == "scores").Metrics["int4.loss"]);
    }

    private static IEnumerable<string> Roots(IEnumerable<(string Name, StepState State, IReadOnlyDictionary<string, ManifestRef> Outputs)> steps) => steps
        .Select(
            s => $"{s.Name} {s.State} {string.Join(", ", s.Outputs.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => $"{o.Key} {o.Value.Root.Hex}"))}");
}
