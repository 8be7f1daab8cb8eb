using System.Net;
using Espalier.Deployment.Tests.Manifests;
using Espalier.Hosting;
using Espalier.Messaging;
using k8s.Models;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>Ports and probes are those of a real service host; Services lead to pods.</summary>
public sealed class ProbeTests : IAsyncLifetime
{
    private Microsoft.AspNetCore.Builder.WebApplication _app = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        _app = ServiceHost.Build("test", [], _ => { });
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public async Task Probes_OfAnOverlay_AreAnswered(string name) => (await ProblemsOfAsync(Overlay.Render(name))).ShouldBeEmpty();

    [Theory]
    [InlineData("path: /readyz", "path: /ready", "/ready is not served")]
    [InlineData("containerPort: 8080", "containerPort: 8081", "port")]
    [InlineData("failureThreshold: 130", "failureThreshold: 3", "start")]
    [InlineData("targetPort: http", "targetPort: web", "no pod has the port web")]
    [InlineData("prometheus.io/path: /metrics", "prometheus.io/path: /metric", "/metric is not served")]
    public async Task Probes_Wrong_AreFound(string right, string wrong, string expected) =>
        (await ProblemsOfAsync(Overlay.Render("cpu").With(right, wrong))).ShouldContain(p => p.Contains(expected));

    private async Task<List<string>> ProblemsOfAsync(Overlay overlay)
    {
        var problems = new List<string>();
        foreach (var pod in overlay.Pods.Where(p => p.IsOurs && p.IsLasting))
        {
            var port = pod.Container.Ports.Single(p => p.Name == "http").ContainerPort;
            if (port != ServiceFiles.PortOf(pod.Service) || port != new Uri(overlay.EnvironmentOf(pod)["ESPALIER__HTTP__URL"]).Port)
                problems.Add($"{pod.Name}: port {port} is not the one that the service listens on and its image exposes.");
            foreach (var probe in new[] { pod.Container.StartupProbe, pod.Container.LivenessProbe, pod.Container.ReadinessProbe })
            {
                if (probe?.HttpGet is not { } get || get.Port.Value != "http")
                    problems.Add($"{pod.Name}: a probe is missing, or asks another port.");
                else if (!await IsServedAsync(get.Path))
                    problems.Add($"{pod.Name}: {get.Path} is not served.");
            }
            var patience = TimeSpan.FromSeconds((pod.Container.StartupProbe.PeriodSeconds ?? 10) * (pod.Container.StartupProbe.FailureThreshold ?? 3));
            if (patience < new MessagingOptions().StartTimeout)
                problems.Add($"{pod.Name}: it is killed after {patience}, and may wait {new MessagingOptions().StartTimeout} for the broker at start.");
        }
        foreach (var scraped in overlay.Of<V1Deployment>().Select(d => d.Spec.Template.Metadata.Annotations["prometheus.io/path"]).Distinct())
        {
            if (!await IsServedAsync(scraped))
                problems.Add($"{scraped} is not served.");
        }
        foreach (var service in overlay.Of<V1Service>())
        {
            var pods = overlay.Pods.Where(p => service.Spec.Selector.All(s => p.Labels.TryGetValue(s.Key, out var value) && value == s.Value)).ToList();
            foreach (var port in service.Spec.Ports.Where(port => !pods.Any(p => (p.Container.Ports ?? []).Any(c => c.Name == port.TargetPort.Value))))
                problems.Add($"Service {service.Metadata.Name}: no pod has the port {port.TargetPort.Value}.");
        }
        return problems;
    }

    private async Task<bool> IsServedAsync(string path)
    {
        using var answer = await _client.GetAsync(path);
        return answer.StatusCode != HttpStatusCode.NotFound;
    }
}
