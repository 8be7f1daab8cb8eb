using System.Net.Http.Json;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>
/// The workers of <c>docker/compose.cuda.yaml</c> with the environment of that file and nobody beside them, on a machine without a GPU: the one
/// setting that is added says that their GPUs are pretended.
/// </summary>
[Collection(ServersCollection.Name)]
public sealed class GpuOverlayTests(BrokerAndDatabase servers)
{
    private const string Pipeline =
        """
        name: on-gpus
        stages:
          base:
            uses: train
            device: cuda
            with:
              model: { family: olmoe, layers: 1, hidden: 32, heads: 2, experts: 4, top-k: 2, expert-size: 16, vocabulary: bytes }
              data: "dir:FOLDER"
              tokens: 4k
              length: 64
              batch: 4
              seed: 7
          grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2, router: { method: copy-noise }, seed: 7 } }
          release: { uses: register, needs: grown, with: { name: on-gpus } }
        """;

    [Fact]
    public async Task Run_WithTheOverlaysWorkersAlone_EndsAndNothingPassesForTheWorkOfAGpu()
    {
        await using var platform = await ComposedPlatform.StartAsync(
            servers, ["compose.yaml", "compose.cuda.yaml"], new Dictionary<string, string> { ["GPUS"] = "2", ["GPU_MEMORY"] = "24GiB" }, Pretend,
            "orchestrator", "registry", "cpt-trainer-cuda", "upcycler-cuda");
        for (var i = 0; i < 30; i++)
        {
            var text = $"Text {i} of the user's own. {string.Join(' ', Enumerable.Range(i, 60))}";
            await File.WriteAllTextAsync(Path.Combine(platform.Data.FullName, $"{i}.txt"), text);
        }

        var run = await platform.Runs.EndAsync(
            await platform.Runs.SubmitAsync(Pipeline.Replace("FOLDER", platform.Data.FullName, StringComparison.Ordinal)), TimeSpan.FromMinutes(5));

        run.State.ShouldBe(RunState.Succeeded, platform.Log);
        run.Steps.Select(s => (s.Kind, s.State)).ShouldBe(
            [
                (StageKinds.Dataset, StepState.Succeeded), (StageKinds.Train, StepState.Succeeded), (StageKinds.Upcycle, StepState.Succeeded),
                (StageKinds.Register, StepState.Succeeded),
            ],
            ignoreOrder: true);
        (await ClassOfAsync(platform, run, StageKinds.Train)).ShouldStartWith("pretended-cuda;");
        (await ClassOfAsync(platform, run, StageKinds.Upcycle)).ShouldNotContain("cuda");
        var trained = (await platform.Artifacts.FindStepAsync(run.Steps.Single(s => s.Kind == StageKinds.Train).Key!.Value, default))!;
        trained.Notes.ShouldContain(n => n.Contains("only pretends to have 'cuda'"));
        await OfferedAsync(platform);
        using var registry = platform.Requests("registry");
        (await registry.Client.GetFromJsonAsync<JsonElement>("/api/v1/models/on-gpus/versions")).GetProperty("items").GetArrayLength().ShouldBe(1);
    }

    private static IReadOnlyDictionary<string, string> Pretend(string service) => service.EndsWith("-cuda", StringComparison.Ordinal)
        ? new Dictionary<string, string> { ["ESPALIER__WORKER__DEVICES__0__PRETENDED"] = "true" }
        : new Dictionary<string, string>();

    private static async Task<string> ClassOfAsync(ComposedPlatform platform, RunView run, string kind) =>
        (await StepReceipt.FindAsync(platform.Artifacts, run.Steps.Single(s => s.Kind == kind).Key!.Value, default))!.Key!.NumericsClass;

    private static async Task OfferedAsync(ComposedPlatform platform)
    {
        var status = await platform.Runs.Client.GetFromJsonAsync<JsonElement>("/api/v1/status");
        var workers = status.GetProperty("workers").EnumerateArray().Select(w => string.Join(", ", w.GetProperty("classes").EnumerateArray().Select(c =>
            $"{c.GetProperty("count")} {c.GetProperty("name")} {c.GetProperty("slots")} "
            + $"{(c.TryGetProperty("memory-bytes", out var bytes) ? bytes.GetInt64() >> 30 : 0)} {c.GetProperty("is-pretended")}"))).ToList();

        workers.ShouldBe(["2 cuda 2 24 True, 1 cpu 1 0 False", "2 cuda 2 24 True, 1 cpu 1 0 False", "1 cpu 1 0 False"], ignoreOrder: true);
    }
}
