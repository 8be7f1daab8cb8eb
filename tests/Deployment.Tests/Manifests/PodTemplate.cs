using k8s.Models;

namespace Espalier.Deployment.Tests.Manifests;

/// <summary>The pods of one Deployment, StatefulSet or Job.</summary>
/// <param name="Kind">Which of them.</param>
/// <param name="Name">Its name.</param>
/// <param name="Labels">Labels of the pods.</param>
/// <param name="Selector">What it finds its pods by; empty for a Job.</param>
/// <param name="Spec">The pods.</param>
/// <param name="Replicas">Their number, when it says one.</param>
internal sealed record PodTemplate(
    string Kind, string Name, IDictionary<string, string> Labels, IDictionary<string, string> Selector, V1PodSpec Spec, int? Replicas)
{
    /// <summary>The one container.</summary>
    public V1Container Container => Spec.Containers.Single();

    /// <summary>service, worker, job or server.</summary>
    public string Component => Labels.TryGetValue("app.kubernetes.io/component", out var component) ? component : "";

    /// <summary>Whether it is a program of this repository.</summary>
    public bool IsOurs => Component is "service" or "worker" or "job";

    /// <summary>Whether it stays: Jobs end.</summary>
    public bool IsLasting => Kind != "Job";

    /// <summary>The service that the pod runs, by the image's name.</summary>
    public string Service => Image.Split(':')[0].Split('/')[^1] is var name && name.EndsWith(Cuda, StringComparison.Ordinal) ? name[..^Cuda.Length] : name;

    /// <summary>Its image.</summary>
    public string Image => Container.Image;

    /// <summary>End of the names of images with CUDA.</summary>
    public const string Cuda = "-cuda";

    public static PodTemplate? Of(object item) => item switch
    {
        V1Deployment d => new("Deployment", d.Metadata.Name, d.Spec.Template.Metadata.Labels, d.Spec.Selector.MatchLabels, d.Spec.Template.Spec,
            d.Spec.Replicas),
        V1StatefulSet s => new("StatefulSet", s.Metadata.Name, s.Spec.Template.Metadata.Labels, s.Spec.Selector.MatchLabels, s.Spec.Template.Spec,
            s.Spec.Replicas),
        V1Job j => new("Job", j.Metadata.Name, j.Spec.Template.Metadata.Labels, new Dictionary<string, string>(), j.Spec.Template.Spec, null),
        _ => null,
    };

    /// <summary>Whether a selector matches labels.</summary>
    public static bool Matches(V1LabelSelector? selector, IDictionary<string, string> labels) =>
        selector is not null
        && (selector.MatchLabels ?? new Dictionary<string, string>()).All(l => labels.TryGetValue(l.Key, out var value) && value == l.Value)
        && (selector.MatchExpressions ?? []).All(e => e.OperatorProperty switch
        {
            "In" => labels.TryGetValue(e.Key, out var value) && e.Values.Contains(value),
            _ => throw new NotSupportedException($"The operator {e.OperatorProperty} is not read here."),
        });
}
