using Espalier.Deployment.Tests.Manifests;
using Espalier.Messaging;
using Espalier.Orchestrator;
using Espalier.Stages.Worker;
using k8s.Models;
using Microsoft.Extensions.Configuration;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>A node can be drained: pods go one at a time, and a worker has the time that it needs to save its position.</summary>
public sealed class DisruptionTests
{
    /// <summary>Until the bus gives up stopping in order (the bus registration), and to leave the queues of hints.</summary>
    private static readonly TimeSpan BusStop = TimeSpan.FromSeconds(20), Margin = TimeSpan.FromSeconds(10);

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Pods_OfAnOverlay_GoOneAtATimeAndInTime(string name) => ProblemsOf(Overlay.Render(name)).ShouldBeEmpty();

    [Theory]
    [InlineData("terminationGracePeriodSeconds: 75", "terminationGracePeriodSeconds: 30", "to save its position")]
    [InlineData("ESPALIER__WORKER__STOP_GRACE: \"00:00:15\"", "ESPALIER__WORKER__STOP_GRACE: \"00:02:00\"", "to save its position")]
    [InlineData("maxUnavailable: 1\n  selector", "maxUnavailable: 0\n  selector", "cannot be drained")]
    [InlineData("maxUnavailable: 1\n  selector", "maxUnavailable: 50%\n  selector", "more than one")]
    [InlineData("kind: PodDisruptionBudget\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: espalier\n  name: pruner\n  namespace: espalier\n"
        + "spec:\n  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n      app.kubernetes.io/name: pruner",
        "kind: PodDisruptionBudget\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: espalier\n  name: pruner\n  namespace: espalier\n"
        + "spec:\n  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n      app.kubernetes.io/name: prune",
        "pruner has 0 budgets")]
    public void Pods_WithoutTime_AreFound(string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render("cpu").With(right, wrong)).ShouldContain(p => p.Contains(expected));

    [Fact]
    public void Selectors_ThatOverlap_AreFound() => ProblemsOf(Overlay.Render("gpu").With("espalier.dev/device: cuda", "espalier.dev/device: cpu"))
        .ShouldContain(p => p.Contains("also selects"));

    private static IEnumerable<string> ProblemsOf(Overlay overlay)
    {
        foreach (var pod in overlay.Pods.Where(p => p.IsLasting))
        {
            var budgets = overlay.Of<V1PodDisruptionBudget>().Where(b => PodTemplate.Matches(b.Spec.Selector, pod.Labels)).ToList();
            if (budgets.Count != 1)
                yield return $"{pod.Name} has {budgets.Count} budgets.";
            foreach (var allowed in budgets.Select(b => b.Spec.MaxUnavailable?.Value))
            {
                if (allowed is null or "0")
                    yield return $"{pod.Name}: its node cannot be drained.";
                else if (allowed != "1")
                    yield return $"{pod.Name}: more than one may go at a time.";
            }
            foreach (var other in overlay.Pods.Where(p => p != pod && p.IsLasting && pod.Selector.All(s => p.Labels.Contains(s))))
                yield return $"{pod.Name} also selects the pods of {other.Name}.";
            if (pod.IsOurs && pod.Service != "orchestrator" && NeededBy(overlay.EnvironmentOf(pod)) is var needed
                && !(TimeSpan.FromSeconds(pod.Spec.TerminationGracePeriodSeconds ?? 30) >= needed))
            {
                yield return $"{pod.Name}: it is killed after {pod.Spec.TerminationGracePeriodSeconds} s and may need {needed.TotalSeconds:0} s "
                    + "to save its position, to report it and to leave the broker.";
            }
        }
    }

    /// <summary>A claim under way, the stage's grace, a report that the broker is slow to take, which ends with the lease, and the bus.</summary>
    private static TimeSpan NeededBy(IReadOnlyDictionary<string, string> environment)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            environment.Select(v => KeyValuePair.Create(v.Key.Replace("ESPALIER__", "", StringComparison.Ordinal).Replace("__", ":", StringComparison.Ordinal),
                (string?)v.Value))).Build();
        return Settings.Read<MessagingOptions>(configuration, MessagingOptions.Section).RequestTimeout
            + Settings.Read<StageWorkerOptions>(configuration, StageWorkerOptions.Section).StopGrace
            + new OrchestratorOptions().Lease + BusStop + Margin;
    }
}
