namespace Espalier.Stages.Worker;

/// <summary>
/// How Jobs of a Kubernetes cluster are made. Section <c>worker:jobs</c> of the configuration. The worker and the pods of Jobs share a volume
/// that all nodes can write: the worker lays inputs out there, and takes results from there.
/// </summary>
public sealed class KubernetesJobOptions
{
    /// <summary>Name of the PersistentVolumeClaim (ReadWriteMany) that pods of Jobs mount.</summary>
    public string Claim { get; set; } = "";

    /// <summary>Where this worker has the same volume.</summary>
    public string Folder { get; set; } = "";

    /// <summary>Namespace of Jobs, services and the claim.</summary>
    /// <value>that of the worker's own pod, or of the kubeconfig</value>
    public string Namespace { get; set; } = "";

    /// <summary>Name of the extended resource that <c>gpus</c> counts.</summary>
    /// <value>nvidia.com/gpu</value>
    public string GpuResource { get; set; } = "nvidia.com/gpu";

    /// <summary>
    /// A file with a PodTemplateSpec in YAML: node selectors, tolerations, security contexts, pull secrets, and of a container called
    /// <c>program</c> resources and more. Image, command, folder and variables are filled in.
    /// </summary>
    /// <value>none</value>
    public string Template { get; set; } = "";

    /// <summary>A kubeconfig file, for workers outside the cluster.</summary>
    /// <value>the service account of the worker's pod, else <c>KUBECONFIG</c> or <c>~/.kube/config</c></value>
    public string Kubeconfig { get; set; } = "";

    /// <summary>How long a Job outlives the worker that watches over it.</summary>
    /// <value>2 minutes; 10 seconds to 1 hour</value>
    public TimeSpan Lease { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>What is not there on this machine.</summary>
    internal IEnumerable<(string Setting, string Message)> MissingFiles()
    {
        if (!Directory.Exists(Folder))
            yield return ("folder", $"There is no folder '{Folder}': mount the volume of the claim there.");
        foreach (var (setting, path) in new[] { ("template", Template), ("kubeconfig", Kubeconfig) })
        {
            if (path.Length > 0 && !File.Exists(path))
                yield return (setting, $"There is no file '{path}'.");
        }
    }

    /// <summary>What is wrong with the settings themselves.</summary>
    internal IEnumerable<(string Setting, string Message)> Problems()
    {
        if (Claim.Length == 0)
            yield return ("claim", "It is empty: name the PersistentVolumeClaim (ReadWriteMany) that pods of Jobs share with this worker.");
        if (!Path.IsPathRooted(Folder))
            yield return ("folder", $"'{Folder}' is no absolute path: say where this worker has the volume of the claim.");
        if (GpuResource.Length == 0)
            yield return ("gpu-resource", "It is empty: expected the name of a resource, such as nvidia.com/gpu.");
        if (Lease < TimeSpan.FromSeconds(10) || Lease > TimeSpan.FromHours(1))
            yield return ("lease", $"{Lease} is out of range: allowed is 00:00:10 to 01:00:00.");
    }
}
