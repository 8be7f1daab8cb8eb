using Espalier.Contracts;
using Espalier.Deployment.Tests.Manifests;
using k8s;
using k8s.Models;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>No pod runs as root, writes outside its volumes, holds rights or a token, or shares an identity with another service.</summary>
public sealed class HardeningTests
{
    private static readonly string[] Folders = ["ESPALIER__STORE__CACHE_FOLDER", "ESPALIER__WORKER__CACHE_FOLDER", "ESPALIER_CACHE", "HOME"];

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Pods_OfAnOverlay_HaveOnlyWhatTheyNeed(string name) => ProblemsOf(Overlay.Render(name)).ShouldBeEmpty();

    [Theory]
    [InlineData("runAsNonRoot: true", "runAsNonRoot: false", "root")]
    [InlineData("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "file system")]
    [InlineData("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "privileges")]
    [InlineData("            drop:\n            - ALL", "            drop:\n            - CHOWN", "capabilities")]
    [InlineData("type: RuntimeDefault", "type: Unconfined", "system calls")]
    [InlineData("serviceAccountName: pruner", "serviceAccountName: upcycler", "identity")]
    [InlineData("automountServiceAccountToken: false\n      containers", "automountServiceAccountToken: true\n      containers", "token")]
    [InlineData("mountPath: /var/cache/espalier", "mountPath: /var/cache/other", "cannot be written")]
    [InlineData("ESPALIER__STORE__CACHE_BYTES: \"10000000000\"", "ESPALIER__STORE__CACHE_BYTES: \"50000000000\"", "does not fit")]
    [InlineData("            memory: 8Gi\n          requests", "            example.org/x: 1\n          requests", "limit of memory")]
    public void Pods_WithMore_AreFound(string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render("cpu").With(right, wrong)).ShouldContain(p => p.Contains(expected));

    [Fact]
    public void Rights_OfTheWorkerThatRunsJobs_AreThoseThatItUses()
    {
        var overlay = Overlay.Render("programs");

        var role = overlay.Of<V1Role>().Single();
        var rights = role.Rules.SelectMany(r => from resource in r.Resources from verb in r.Verbs select $"{verb} {string.Join(",", r.ApiGroups)}/{resource}");

        rights.ShouldBe(
            [
                "create batch/jobs", "delete batch/jobs", "get batch/jobs", "patch batch/jobs", "list /pods", "get /pods/log", "create /services",
                "delete /services",
            ],
            ignoreOrder: true);
        var binding = overlay.Of<V1RoleBinding>().Single();
        var subject = binding.Subjects.Single();
        (binding.RoleRef.Name, subject.Name, subject.NamespaceProperty).ShouldBe((role.Metadata.Name, "programs", "espalier"));
        overlay.Of<V1ClusterRole>().ShouldBeEmpty();
    }

    // The namespace admits no pod that is less restricted.
    [Fact]
    public void Template_OfJobs_IsAdmittedByItsNamespace()
    {
        var overlay = Overlay.Render("programs");

        var text = overlay.Of<V1ConfigMap>().Single(m => m.Data.ContainsKey("template.yaml")).Data["template.yaml"];
        var pod = KubernetesYaml.Deserialize<V1PodTemplateSpec>(text, strict: true).Spec;

        overlay.Of<V1Namespace>().Single().Metadata.Labels["pod-security.kubernetes.io/enforce"].ShouldBe("restricted");
        (pod.SecurityContext.RunAsNonRoot, pod.SecurityContext.SeccompProfile.Type).ShouldBe((true, "RuntimeDefault"));
        var own = pod.Containers.Single(c => c.Name == "program").SecurityContext;
        (own.AllowPrivilegeEscalation, own.Capabilities.Drop.Single()).ShouldBe((false, "ALL"));
        var worker = overlay.Pods.Single(RunsJobs);
        (pod.SecurityContext.RunAsUser, pod.SecurityContext.FsGroup).ShouldBe((worker.Spec.SecurityContext.RunAsUser, worker.Spec.SecurityContext.FsGroup));
        worker.Spec.Volumes.Select(v => v.PersistentVolumeClaim?.ClaimName).OfType<string>()
            .ShouldBe([overlay.EnvironmentOf(worker)["ESPALIER__WORKER__JOBS__CLAIM"]]);
        overlay.Of<V1PersistentVolumeClaim>().Single().Spec.AccessModes.ShouldBe(["ReadWriteMany"]);
    }

    private static bool RunsJobs(PodTemplate pod) =>
        pod.Labels.TryGetValue("espalier.dev/device", out var device) && device == DeviceNames.Kubernetes;

    private static IEnumerable<string> ProblemsOf(Overlay overlay) =>
        overlay.Pods.SelectMany(pod => ProblemsOf(overlay, pod).Select(problem => $"{pod.Kind} {pod.Name}: {problem}"));

    private static IEnumerable<string> ProblemsOf(Overlay overlay, PodTemplate pod)
    {
        var (whole, own) = (pod.Spec.SecurityContext, pod.Container.SecurityContext);
        if (whole?.RunAsNonRoot != true || whole.RunAsUser is null or 0)
            yield return "it may run as root.";
        if (own?.ReadOnlyRootFilesystem != true)
            yield return "its file system can be written.";
        if (own?.AllowPrivilegeEscalation != false)
            yield return "it may gain privileges.";
        if (own?.Capabilities?.Drop?.Contains("ALL") != true)
            yield return "it keeps capabilities.";
        if (whole?.SeccompProfile?.Type != "RuntimeDefault")
            yield return "its system calls are not limited.";
        if (pod.Spec.AutomountServiceAccountToken != RunsJobs(pod) || pod.Spec.EnableServiceLinks != false)
            yield return "it gets a token of the cluster, or variables that look like settings.";
        var identity = pod.IsOurs && !RunsJobs(pod) ? pod.Service : pod.Name;
        if (pod.Spec.ServiceAccountName != identity || overlay.Of<V1ServiceAccount>().All(a => a.Metadata.Name != identity))
            yield return $"it runs with the identity {pod.Spec.ServiceAccountName}, not with one of its own.";
        if (pod.Container.Resources?.Limits?.ContainsKey("memory") != true || pod.Container.Resources.Requests?.ContainsKey("cpu") != true)
            yield return "it has no limit of memory, or asks for no processor.";
        var environment = overlay.EnvironmentOf(pod);
        foreach (var folder in Folders.Where(environment.ContainsKey).Select(f => environment[f]))
        {
            var mount = (pod.Container.VolumeMounts ?? []).FirstOrDefault(m => $"{folder}/".StartsWith($"{m.MountPath}/", StringComparison.Ordinal));
            if (mount is null)
                yield return $"{folder} cannot be written.";
        }
        if (environment.TryGetValue("ESPALIER__STORE__CACHE_BYTES", out var bytes)
            && (pod.Spec.Volumes ?? []).FirstOrDefault(v => v.Name == "cache")?.EmptyDir?.SizeLimit is { } size && long.Parse(bytes) >= size.ToInt64())
        {
            yield return $"a cache of {bytes} bytes does not fit into its volume of {size.ToInt64()}.";
        }
    }
}
