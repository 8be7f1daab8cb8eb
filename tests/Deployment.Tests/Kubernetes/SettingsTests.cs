using Espalier.Deployment.Tests.Manifests;
using Espalier.TestKit.Servers;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>Every setting of a pod is one that its service reads, with a value that it takes.</summary>
public sealed class SettingsTests
{
    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Settings_OfAnOverlay_AreReadByTheirServices(string name) => ProblemsOf(Overlay.Render(name)).ShouldBeEmpty();

    [Theory]
    [InlineData("ESPALIER__MESSAGING__BROKER:", "ESPALIER__MESSAGING__BROCKER:", "no such setting")]
    [InlineData("ESPALIER__ORCHESTRATOR__PROVIDER: postgre-sql", "ESPALIER__ORCHESTRATOR__PROVIDER: oracle", "oracle")]
    [InlineData("ESPALIER__PORTAL__ORCHESTRATOR:", "ESPALIER__PORTALS__ORCHESTRATOR:", "does not read")]
    [InlineData("ESPALIER__WORKER__STOP_GRACE: \"00:00:15\"", "ESPALIER__WORKER__STOP_GRACE: \"01:00:00\"", "stop-grace")]
    public void Settings_Wrong_AreFound(string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render("cpu").With(right, wrong)).ShouldContain(p => p.Contains(expected));

    [Fact]
    public void Secrets_OfEveryOverlay_AreThoseThatTheReadmeNames()
    {
        var readme = File.ReadAllText(Repository.PathOf("infra/kubernetes/README.md"));
        var kind = Overlay.Render("kind");

        // The small overlay makes every secret: what it puts into them is what the others need.
        var needed = kind.Of<k8s.Models.V1Secret>().SelectMany(s => s.Data.Keys.Prepend(s.Metadata.Name[..s.Metadata.Name.LastIndexOf('-')]));
        var referred = new[] { "cpu", "gpu", "azure", "programs" }.Select(Overlay.Render).SelectMany(o => o.Pods).SelectMany(p => p.Container.EnvFrom ?? [])
            .Select(e => e.SecretRef?.Name).OfType<string>();

        needed.Concat(referred).Distinct().Where(name => !readme.Contains($"`{name}`", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static IEnumerable<string> ProblemsOf(Overlay overlay) => overlay.Pods.Where(p => p.IsOurs)
        .SelectMany(p => ServiceSettings.ProblemsOf(p.Service, overlay.EnvironmentOf(p)).Select(problem => $"{p.Name}: {problem}"));
}
