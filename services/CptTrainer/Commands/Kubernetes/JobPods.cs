using System.Globalization;
using k8s.Models;

namespace Espalier.CptTrainer.Commands.Kubernetes;

/// <summary>Why pods do not run yet.</summary>
/// <param name="Number">How many do not.</param>
/// <param name="Reason">Why, in the cluster's words; empty while it does not say.</param>
/// <param name="IsAboutTheImage">The image cannot be pulled.</param>
/// <param name="IsHopeless">Waiting will not help.</param>
internal sealed record PodsWaiting(int Number, string Reason = "", bool IsAboutTheImage = false, bool IsHopeless = false);

/// <summary>What the pods of a Job say of themselves.</summary>
internal static class JobPods
{
    private static readonly string[] PullReasons = ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"];
    private static readonly string[] HopelessReasons = ["InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"];

    /// <summary>Which of the nodes it is; -1 when it does not say.</summary>
    public static int IndexOf(V1Pod pod) =>
        pod.Metadata.Annotations?.TryGetValue(JobManifest.IndexAnnotation, out var text) == true
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : -1;

    /// <summary>Whether its program runs, or has run.</summary>
    public static bool HasBegun(V1Pod pod) => StateOf(pod) is { } state && (state.Running is not null || state.Terminated is not null);

    /// <summary>How its program ended; null while it has not.</summary>
    public static V1ContainerStateTerminated? EndOf(V1Pod pod) => StateOf(pod)?.Terminated;

    /// <summary>Whether a Job is in a state.</summary>
    public static bool Has(V1Job job, string condition) => job.Status?.Conditions?.Any(c => c.Type == condition && c.Status == "True") == true;

    /// <summary>What the pods that do not run are waiting for.</summary>
    public static PodsWaiting WaitingOf(IReadOnlyList<V1Pod> pods, int nodes)
    {
        var begun = pods.Count(HasBegun);
        if (begun >= nodes)
            return new PodsWaiting(0);
        foreach (var pod in pods.Where(p => !HasBegun(p)))
        {
            if (StateOf(pod)?.Waiting is { Reason: { Length: > 0 } reason } waiting && reason is not ("ContainerCreating" or "PodInitializing"))
            {
                return new PodsWaiting(
                    nodes - begun, Join(reason, waiting.Message), PullReasons.Contains(reason), HopelessReasons.Contains(reason));
            }
            if (pod.Status?.Conditions?.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" }) is { } unscheduled)
                return new PodsWaiting(nodes - begun, Join(unscheduled.Reason, unscheduled.Message));
        }
        return new PodsWaiting(nodes - begun);
    }

    private static string Join(string? reason, string? message) => string.IsNullOrEmpty(message) ? reason ?? "" : $"{reason}: {message}";

    private static V1ContainerState? StateOf(V1Pod pod) => pod.Status?.ContainerStatuses?.FirstOrDefault(c => c.Name == JobManifest.Container)?.State;
}
