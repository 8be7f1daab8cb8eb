using Espalier.Deployment.Tests.Manifests;
using k8s.Models;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>What must talk can, by the policies of both ends, and what need not cannot.</summary>
public sealed class NetworkTests
{
    private const string Ingress = "ingress";

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Policies_OfAnOverlay_AllowWhatIsNeededAndNoMore(string name) => ProblemsOf(Overlay.Render(name)).ShouldBeEmpty();

    [Theory]
    [InlineData("kind", "port: 5672\n", "port: 5673\n", "upcycler does not reach rabbitmq")]
    [InlineData("kind", "port: 5432\n", "port: 5433\n", "migrate-orchestrator does not reach postgres")]
    [InlineData("cpu", "port: 5671\n", "port: 5673\n", "evaluator does not reach the outside on 5671")]
    [InlineData("programs", "port: 6443\n", "port: 6444\n", "programs does not reach the outside on 6443")]
    [InlineData("kind", "port: 80\n", "port: 81\n", "cpt-trainer does not reach the outside on 80")]
    [InlineData("cpu", "espalier.dev/ingress: \"true\"", "espalier.dev/ingress: \"yes\"", "ingress does not reach registry")]
    [InlineData("cpu", "      - keda\n", "      - kedo\n", "keda does not reach orchestrator")]
    [InlineData("cpu", "  podSelector: {}\n  policyTypes:\n  - Ingress\n  - Egress", "  podSelector: {}\n  policyTypes:\n  - Egress", "open by default")]
    [InlineData(
        "cpu", "espalier.dev/uses-database: \"true\"\n  policyTypes", "app.kubernetes.io/part-of: espalier\n  policyTypes",
        "upcycler reaches the outside on 5432")]
    public void Policies_Wrong_AreFound(string overlay, string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render(overlay).With(right, wrong)).ShouldContain(p => p.Contains(expected));

    private static IEnumerable<string> ProblemsOf(Overlay overlay)
    {
        var policies = overlay.Of<V1NetworkPolicy>().ToList();
        var pods = overlay.Pods.Select(p => (p.Name, p.Labels, p.Component)).ToList();
        bool Has(string name) => pods.Any(p => p.Name == name);
        if (!policies.Any(p => p.Spec is { Ingress: null, Egress: null, PolicyTypes.Count: 2, PodSelector: { MatchLabels: null, MatchExpressions: null } }))
            yield return "Pods are open by default.";
        var usesDatabase = new[] { "orchestrator", "registry", "migrate-orchestrator", "migrate-registry" };
        foreach (var (from, labels, component) in pods.Where(p => p.Component != "server"))
        {
            var works = component is "service" or "worker";
            foreach (var (to, port, isNeeded) in new[]
            {
                ("rabbitmq", 5672, works), ("azurite", 10000, works), ("postgres", 5432, usesDatabase.Contains(from)),
                ("orchestrator", 8080, from == "registry"), ("registry", 8080, false), ("pruner", 8080, false),
            })
            {
                if (from != to && Has(to) && Reaches(policies, labels, pods.First(p => p.Name == to).Labels, port) != isNeeded)
                    yield return $"{from} {(isNeeded ? "does not reach" : "reaches")} {to} on {port}.";
            }
            var makesCorpora = labels["app.kubernetes.io/name"] == "cpt-trainer";
            foreach (var (port, isNeeded) in new[]
            {
                (5671, works && !Has("rabbitmq")), (5432, usesDatabase.Contains(from) && !Has("postgres")),
                (443, makesCorpora || (works && !Has("azurite"))), (80, makesCorpora),
                (6443, labels.TryGetValue("espalier.dev/device", out var device) && device == "kubernetes"),
            })
            {
                if (ReachesOutside(policies, labels, port) != isNeeded)
                    yield return $"{from} {(isNeeded ? "does not reach" : "reaches")} the outside on {port}.";
            }
        }
        foreach (var (space, to, isNeeded) in new[]
        {
            ("keda", "orchestrator", true), ("monitoring", "orchestrator", true), ("monitoring", "pruner", true), ("keda", "pruner", false),
            ("default", "orchestrator", false), ("default", "registry", false), (Ingress, "orchestrator", true), (Ingress, "registry", true),
            (Ingress, "pruner", false),
        })
        {
            if (MayEnter(policies, space, pods.First(p => p.Name == to).Labels, 8080) != isNeeded)
                yield return $"{space} {(isNeeded ? "does not reach" : "reaches")} {to}.";
        }
        if (overlay.Pods.Any(p => p.Name == "programs"))
        {
            var program = new Dictionary<string, string> { ["app.kubernetes.io/name"] = "command", ["app.kubernetes.io/component"] = "program" };
            if (!policies.Any(p => Selects(p, program) && (p.Spec.Egress ?? []).Any(e => e.To.Any(peer => IsPod(peer, program)))))
                yield return "Pods of one Job do not reach each other.";
            if (policies.Any(p => Selects(p, program) && (p.Spec.Egress ?? []).Any(e => e.To.Any(peer => peer.IpBlock is not null))))
                yield return "Programs of other people reach the outside.";
        }
        if (pods.Any(p => !policies.Any(n => Selects(n, p.Labels) && n.Spec.Egress?.Any(e => e.Ports.Any(x => x.Port.Value == "53")) == true)))
            yield return "Names cannot be looked up.";
    }

    private static bool Reaches(List<V1NetworkPolicy> policies, IDictionary<string, string> from, IDictionary<string, string> to, int port) =>
        Allows(policies, "Egress", from, p => (p.Spec.Egress ?? []).Any(e => Opens(e.Ports, port) && e.To.Any(peer => IsPod(peer, to))))
        && Allows(policies, "Ingress", to, p => (p.Spec.Ingress ?? []).Any(i => Opens(i.Ports, port) && i.FromProperty.Any(peer => IsPod(peer, from))));

    private static bool ReachesOutside(List<V1NetworkPolicy> policies, IDictionary<string, string> from, int port) =>
        Allows(policies, "Egress", from, p => (p.Spec.Egress ?? []).Any(e => Opens(e.Ports, port) && e.To.Any(peer => peer.IpBlock is not null)));

    private static bool MayEnter(List<V1NetworkPolicy> policies, string space, IDictionary<string, string> to, int port)
    {
        var labels = new Dictionary<string, string> { ["kubernetes.io/metadata.name"] = space };
        if (space == Ingress)
            labels["espalier.dev/ingress"] = "true";
        return Allows(policies, "Ingress", to, p => (p.Spec.Ingress ?? []).Any(i => Opens(i.Ports, port)
            && i.FromProperty.Any(peer => peer.NamespaceSelector is { } selector && PodTemplate.Matches(selector, labels))));
    }

    /// <summary>A pod that no policy of a direction selects is open.</summary>
    private static bool Allows(List<V1NetworkPolicy> policies, string direction, IDictionary<string, string> pod, Func<V1NetworkPolicy, bool> allows)
    {
        var own = policies.Where(p => p.Spec.PolicyTypes.Contains(direction) && Selects(p, pod)).ToList();
        return own.Count == 0 || own.Any(allows);
    }

    private static bool Selects(V1NetworkPolicy policy, IDictionary<string, string> pod) => PodTemplate.Matches(policy.Spec.PodSelector, pod);

    private static bool IsPod(V1NetworkPolicyPeer peer, IDictionary<string, string> pod) =>
        peer is { PodSelector: { } selector, NamespaceSelector: null } && PodTemplate.Matches(selector, pod);

    private static bool Opens(IList<V1NetworkPolicyPort> ports, int port) => ports.Any(p => p.Port.Value == $"{port}" && p.Protocol is null or "TCP");
}
