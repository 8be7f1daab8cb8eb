using System.Globalization;
using Espalier.Stages.Worker;
using k8s.Models;

namespace Espalier.CptTrainer.Commands.Kubernetes;

/// <summary>
/// The Job of a step, an indexed one with a pod for each node, and the service by whose name pods of several nodes find each other.
/// </summary>
internal static class JobManifest
{
    /// <summary>Name of the container with the program.</summary>
    public const string Container = "program";

    /// <summary>The folder of the program, as its pods see it.</summary>
    public const string Folder = "/espalier";

    /// <summary>The label that Kubernetes gives to the pods of a Job.</summary>
    public const string JobLabel = "batch.kubernetes.io/job-name";

    /// <summary>The annotation in which Kubernetes says which of the nodes a pod is, from 0.</summary>
    public const string IndexAnnotation = "batch.kubernetes.io/job-completion-index";

    private const int RendezvousPort = 29_500; // torchrun's own default
    private const int KeptSeconds = 3600;

    private static readonly Dictionary<string, string> Labels = new()
    {
        ["app.kubernetes.io/name"] = "command", ["app.kubernetes.io/component"] = "program", ["app.kubernetes.io/managed-by"] = "espalier",
    };

    /// <summary>Name of the Job of a step.</summary>
    public static string NameOf(string stepKey) => $"espalier-{stepKey[..32]}";

    /// <summary>The Job.</summary>
    /// <param name="run">What to run.</param>
    /// <param name="name">Name of the Job.</param>
    /// <param name="settings">How Jobs are made here.</param>
    /// <param name="template">The operator's template of pods; it is changed.</param>
    /// <param name="subPath">The program's folder within the volume.</param>
    public static V1Job Create(ProgramRun run, string name, KubernetesJobOptions settings, V1PodTemplateSpec template, string subPath)
    {
        var nodes = run.Options.Nodes;
        var pod = template.Spec ??= new V1PodSpec();
        pod.Containers ??= [];
        var container = pod.Containers.FirstOrDefault(c => c.Name == Container);
        if (container is null)
            pod.Containers.Insert(0, container = new V1Container { Name = Container });
        Fill(container, run, name, settings, subPath);
        pod.RestartPolicy = "Never"; // another attempt is the orchestrator's to give
        pod.AutomountServiceAccountToken ??= false;
        pod.EnableServiceLinks ??= false;
        pod.Subdomain = nodes > 1 ? name : null;
        pod.Volumes = [.. pod.Volumes ?? [],
            new V1Volume { Name = "espalier", PersistentVolumeClaim = new V1PersistentVolumeClaimVolumeSource { ClaimName = settings.Claim } },
            // What runtimes give by themselves is too small for what PyTorch's processes share.
            new V1Volume { Name = "shared-memory", EmptyDir = new V1EmptyDirVolumeSource { Medium = "Memory" } },
        ];
        template.Metadata = new V1ObjectMeta
        {
            Labels = Labels.Concat(template.Metadata?.Labels ?? new Dictionary<string, string>()).DistinctBy(l => l.Key).ToDictionary(),
            Annotations = template.Metadata?.Annotations,
        };
        return new V1Job
        {
            ApiVersion = "batch/v1",
            Kind = "Job",
            Metadata = new V1ObjectMeta { Name = name, Labels = Labels },
            Spec = new V1JobSpec
            {
                Completions = nodes,
                Parallelism = nodes,
                CompletionMode = "Indexed",
                BackoffLimit = 0,
                ActiveDeadlineSeconds = Seconds(settings.Lease),
                TtlSecondsAfterFinished = KeptSeconds,
                Template = template,
            },
        };
    }

    /// <summary>The service, which goes when the Job goes.</summary>
    public static V1Service CreateService(V1Job job) => new()
    {
        ApiVersion = "v1",
        Kind = "Service",
        Metadata = new V1ObjectMeta
        {
            Name = job.Metadata.Name,
            Labels = Labels,
            OwnerReferences = [new V1OwnerReference { ApiVersion = "batch/v1", Kind = "Job", Name = job.Metadata.Name, Uid = job.Metadata.Uid }],
        },
        Spec = new V1ServiceSpec
        {
            ClusterIP = "None",
            PublishNotReadyAddresses = true, // they look for each other before any of them is ready
            Selector = new Dictionary<string, string> { [JobLabel] = job.Metadata.Name },
        },
    };

    /// <summary>A time in whole seconds, rounded up.</summary>
    public static long Seconds(TimeSpan time) => (long)Math.Ceiling(time.TotalSeconds);

    private static void Fill(V1Container container, ProgramRun run, string name, KubernetesJobOptions settings, string subPath)
    {
        var options = run.Options;
        container.Image = options.Image;
        container.Command = [.. options.Command];
        container.Args = null;
        container.WorkingDir = Folder;
        container.TerminationMessagePolicy = "FallbackToLogsOnError";
        List<V1EnvVar> variables =
        [
            new() { Name = "NNODES", Value = options.Nodes.ToString(CultureInfo.InvariantCulture) },
            new() { Name = "NODE_RANK", ValueFrom = new() { FieldRef = new() { FieldPath = $"metadata.annotations['{IndexAnnotation}']" } } },
            new() { Name = "MASTER_ADDR", Value = options.Nodes > 1 ? $"{name}-0.{name}" : "localhost" },
            new() { Name = "MASTER_PORT", Value = RendezvousPort.ToString(CultureInfo.InvariantCulture) },
            .. container.Env ?? [],
            .. (options.Environment ?? new Dictionary<string, string>()).Select(e => new V1EnvVar { Name = e.Key, Value = e.Value }),
        ];
        container.Env = [.. variables.GroupBy(v => v.Name).Select(g => g.Last())]; // the pipeline's own value wins
        container.VolumeMounts = [.. container.VolumeMounts ?? [],
            new V1VolumeMount { Name = "espalier", MountPath = Folder, SubPath = subPath },
            new V1VolumeMount { Name = "shared-memory", MountPath = "/dev/shm" },
        ];
        if (options.Gpus > 0)
        {
            var resources = container.Resources ??= new V1ResourceRequirements();
            resources.Limits ??= new Dictionary<string, ResourceQuantity>();
            resources.Limits[settings.GpuResource] = new ResourceQuantity(options.Gpus.ToString(CultureInfo.InvariantCulture));
        }
    }
}
