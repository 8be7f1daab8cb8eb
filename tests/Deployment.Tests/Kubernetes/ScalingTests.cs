using System.Text.RegularExpressions;
using Espalier.Contracts;
using Espalier.Deployment.Tests.Manifests;
using Espalier.Hosting;
using Espalier.Messaging.Broker;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>Every worker scales by the steps of its kinds on its device, a number that a running orchestrator really hands out.</summary>
public sealed partial class ScalingTests : IAsyncLifetime
{
    private const string MetricsAddress = "http://orchestrator.espalier:8080/metrics";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("scaling-");
    private WebApplication _orchestrator = null!;
    private string _metrics = "";

    public async Task InitializeAsync()
    {
        string[] args =
        [
            $"--orchestrator:connection=Data Source={Path.Combine(_folder.FullName, "ledger.db")}",
            $"--store:location=file:{Path.Combine(_folder.FullName, "store")}",
            $"--orchestrator-api:key-file={Path.Combine(_folder.FullName, "admin.key")}",
        ];
        _orchestrator = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.AddOrchestratorService();
            builder.Logging.ClearProviders();
        }, app =>
        {
            app.UseFreshGauges();
            app.MapRunsApi();
        });
        await _orchestrator.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(_orchestrator.Urls.Single()) };
        _metrics = await client.GetStringAsync("/metrics");
    }

    public async Task DisposeAsync()
    {
        await _orchestrator.StopAsync();
        await _orchestrator.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Workers_OfAnOverlay_ScaleByTheirOwnSteps(string name) => ProblemsOf(Overlay.Render(name)).ShouldBeEmpty();

    [Theory]
    [InlineData("espalier_steps_demand{kind=\"prune\",device=\"cpu\"}", "espalier_steps_demands{kind=\"prune\",device=\"cpu\"}", "hands out no")]
    [InlineData("kind=\"prune\",device=\"cuda\"", "kind=\"quantize\",device=\"cuda\"", "pruner-cuda")]
    [InlineData("kind=\"dataset\",device=\"cpu\"", "kind=\"train\",device=\"cpu\"", "cpt-trainer")]
    [InlineData("formula: train + dataset", "formula: train", "formula")]
    [InlineData("http://orchestrator.espalier:8080/metrics", "http://orchestrator.espalier:8080/metric", "url")]
    [InlineData("nvidia.com/gpu: \"1\"", "nvidia.com/gpu: \"2\"", "other GPUs")]
    [InlineData("ESPALIER__WORKER__DEVICES__1__NAME", "ESPALIER__WORKER__DEVICES__2__NAME", "offers no cpu")]
    [InlineData("      nodeSelector:\n        espalier.dev/device: cuda", "      nodeSelector:\n        espalier.dev/device: cpu", "node class")]
    public void Workers_ScaledByOthers_AreFound(string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render("gpu").With(right, wrong)).ShouldContain(p => p.Contains(expected));

    private IEnumerable<string> ProblemsOf(Overlay overlay)
    {
        var scaled = overlay.Of<ScaledObject>().ToDictionary(s => s.Spec.ScaleTargetRef.Name);
        foreach (var pod in overlay.Pods.Where(p => p.Component == "worker"))
        {
            var environment = overlay.EnvironmentOf(pod);
            var device = environment.GetValueOrDefault("ESPALIER__WORKER__DEVICES__0__NAME", "cpu");
            var nodes = device == DeviceNames.Kubernetes ? DeviceNames.Cpu : device; // where its Jobs run is not where it runs
            if (overlay.Name != "kind" && (pod.Spec.NodeSelector?.TryGetValue("espalier.dev/device", out var node) == true ? node : null) != nodes)
                yield return $"{pod.Name}: it works on {device} and asks for another node class.";
            var expected = device == "cuda" ? environment.GetValueOrDefault("ESPALIER__WORKER__DEVICES__0__COUNT", "") : "0";
            if ($"{(pod.Container.Resources.Limits.TryGetValue("nvidia.com/gpu", out var gpus) ? gpus.ToInt64() : 0)}" != expected)
                yield return $"{pod.Name}: it has other GPUs than it offers: '{expected}'.";
            if (device == "cuda" && environment.GetValueOrDefault("ESPALIER__WORKER__DEVICES__1__NAME") != "cpu")
                yield return $"{pod.Name}: it offers no cpu: with it alone, a step that needs no GPU would wait for ever.";
            if (!scaled.Remove(pod.Name, out var scaling))
            {
                if (pod.Replicas is null or 0)
                    yield return $"{pod.Name}: nobody says how many there are.";
                continue;
            }
            if (pod.Replicas is not null)
                yield return $"{pod.Name}: KEDA and the Deployment both say how many there are.";
            // A worker that may not run programs of pipelines would do nothing for the steps that want it.
            var kinds = ServiceAccounts.All.Single(a => a.Name == pod.Service).Kinds
                .Where(k => k != StageKinds.Command || overlay.EnvironmentOf(pod).GetValueOrDefault("ESPALIER__WORKER__COMMANDS") == "true").ToList();
            foreach (var problem in ProblemsOf(scaling, kinds, device))
                yield return $"{pod.Name}: {problem}";
        }
        foreach (var nobody in scaled.Keys)
            yield return $"{nobody}: there is no such worker.";
    }

    private IEnumerable<string> ProblemsOf(ScaledObject scaling, IReadOnlyList<string> kinds, string device)
    {
        var expected = kinds.Select(k => $"espalier_steps_demand{{kind=\"{k}\",device=\"{device}\"}}").ToList();
        var triggers = scaling.Spec.Triggers;
        if (!triggers.Select(t => t.Metadata["valueLocation"]).Order().SequenceEqual(expected.Order()))
            yield return $"it scales by {string.Join(", ", triggers.Select(t => t.Metadata["valueLocation"]))}, not by {string.Join(", ", expected)}.";
        // Several triggers alone would give the largest, not the sum.
        var sum = kinds.Count > 1 ? string.Join(" + ", kinds) : null;
        if (scaling.Spec.Advanced?.ScalingModifiers?.Formula != sum)
            yield return $"its formula is not {sum ?? "absent"}.";
        foreach (var trigger in triggers)
        {
            if ((trigger.Type, trigger.Metadata["format"], trigger.Metadata["url"]) != ("metrics-api", "prometheus", MetricsAddress))
                yield return "its type, format or url is not that of the orchestrator's metrics.";
            if (!HandsOut(trigger.Metadata["valueLocation"]))
                yield return $"the orchestrator hands out no {trigger.Metadata["valueLocation"]}.";
        }
        if (scaling.Spec.MaxReplicaCount is null or < 1 || scaling.Spec.MinReplicaCount < (device == "cpu" ? 1 : 0))
            yield return "somebody has to offer its kind: at least one for the CPU.";
    }

    /// <summary>As KEDA looks for it: the metric, and a series that has every label of the selector.</summary>
    private bool HandsOut(string selector)
    {
        var wanted = Label().Matches(selector).Select(m => m.Value).ToList();
        return _metrics.Split('\n').Any(line => line.StartsWith(selector.Split('{')[0] + "{", StringComparison.Ordinal) && wanted.All(line.Contains));
    }

    [GeneratedRegex("[a-z_]+=\"[^\"]*\"", RegexOptions.CultureInvariant)]
    private static partial Regex Label();
}
