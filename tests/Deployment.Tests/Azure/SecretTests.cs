using Espalier.Deployment.Tests.Manifests;
using k8s.Models;

namespace Espalier.Deployment.Tests.Azure;

/// <summary>Every pod mounts the secrets of its own service, before it needs them, and finds them under the names that the small overlay uses.</summary>
public sealed class SecretTests
{
    [Fact]
    public void Secrets_OfThePods_ComeFromTheVault() => ProblemsOf(Overlay.Render("azure")).ShouldBeEmpty();

    [Theory]
    [InlineData("secretProviderClass: pruner", "secretProviderClass: upcycler", "its own")]
    [InlineData("objectName: database-registry\n          objectType: secret\n", "objectName: database-reg\n          objectType: secret\n", "is not fetched")]
    [InlineData("key: ESPALIER__REGISTRY__DATABASE", "key: ESPALIER__REGISTRY__DATABASES", "are not those")]
    [InlineData("azure.workload.identity/use: \"true\"", "azure.workload.identity/use: \"false\"", "identity")]
    public void Secrets_Wrong_AreFound(string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render("azure").With(right, wrong)).ShouldContain(p => p.Contains(expected));

    private static IEnumerable<string> ProblemsOf(Overlay overlay)
    {
        var classes = overlay.Of<SecretProviderClass>().ToDictionary(c => c.Metadata.Name);
        foreach (var pod in overlay.Pods)
        {
            var mounted = pod.Spec.Volumes.Select(v => v.Csi?.VolumeAttributes?["secretProviderClass"]).OfType<string>().SingleOrDefault();
            if (mounted != pod.Spec.ServiceAccountName || pod.Container.VolumeMounts.All(m => m.Name != "secrets"))
                yield return $"{pod.Name} does not mount the secrets of {pod.Spec.ServiceAccountName}, its own.";
            if (!pod.Labels.TryGetValue("azure.workload.identity/use", out var uses) || uses != "true")
                yield return $"{pod.Name} is not given its identity.";
        }
        foreach (var (name, found) in classes)
        {
            foreach (var value in found.Spec.SecretObjects.SelectMany(s => s.Data).Where(d => !Fetches(found, d.ObjectName)))
                yield return $"{value.ObjectName} is not fetched from the vault by {name}.";
            // The small overlay has every secret, and its values are checked as settings.
            var expected = Overlay.Render("kind").Of<V1Secret>().Single(s => s.Metadata.Name.StartsWith($"{name}-", StringComparison.Ordinal)).Data.Keys;
            var synced = found.Spec.SecretObjects.Single(s => s.SecretName == name).Data.Select(d => d.Key);
            if (!synced.Order().SequenceEqual(expected.Order()))
                yield return $"The keys of the secret {name} are not those that its service reads.";
        }
    }

    private static bool Fetches(SecretProviderClass found, string secret) =>
        found.Spec.Parameters["objects"].Contains($"objectName: {secret}\n", StringComparison.Ordinal);
}
