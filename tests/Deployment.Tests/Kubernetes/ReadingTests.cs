using Espalier.Deployment.Tests.Manifests;
using k8s.Models;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>Every document is one that Kubernetes, KEDA or the secrets driver knows, field by field.</summary>
public sealed class ReadingTests
{
    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Overlay_ReadStrictly_HasEveryPart(string name)
    {
        var overlay = Overlay.Render(name);

        overlay.Of<V1Deployment>().Count().ShouldBeGreaterThanOrEqualTo(7);
        overlay.Of<V1Job>().Count().ShouldBe(2);
        overlay.Of<V1NetworkPolicy>().ShouldNotBeEmpty();
        overlay.Of<ScaledObject>().Any().ShouldBe(name != "kind");
        overlay.Text.Split("\n---\n").Length.ShouldBe(overlay.Of<object>().Count(), "every document was read");
    }

    [Theory]
    [InlineData("readOnlyRootFilesystem:", "readOnlyRootFileSystem:")]
    [InlineData("terminationGracePeriodSeconds:", "gracePeriodSeconds:")]
    [InlineData("pollingInterval:", "pollInterval:")]
    public void Overlay_UnknownField_IsRefused(string right, string wrong) =>
        Should.Throw<Exception>(() => Overlay.Render("cpu").With(right, wrong)).ToString().ShouldContain(wrong.TrimEnd(':'));

    [Fact]
    public void Overlay_SettingsThatAreMissing_AreAnError()
    {
        var broken = Overlay.Render("cpu").With("name: platform-", "name: plattform-");

        Should.NotThrow(() => broken.Pods.Select(broken.EnvironmentOf).ToList());
        var half = Overlay.Render("cpu").With("        - configMapRef:\n            name: worker-", "        - configMapRef:\n            name: wrker-");
        Should.Throw<KeyNotFoundException>(() => half.Pods.Select(half.EnvironmentOf).ToList());
    }
}
