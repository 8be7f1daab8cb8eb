using System.Collections.Concurrent;
using System.Text;
using Espalier.Deployment.Tests.Tools;
using k8s;
using k8s.Models;

namespace Espalier.Deployment.Tests.Manifests;

/// <summary>A rendered overlay, read strictly: a field that Kubernetes does not know fails.</summary>
internal sealed class Overlay
{
    private static readonly ConcurrentDictionary<string, Overlay> Known = new();
    private static readonly Dictionary<string, Type> OwnKinds = new()
    {
        ["keda.sh/v1alpha1/ScaledObject"] = typeof(ScaledObject),
        ["secrets-store.csi.x-k8s.io/v1/SecretProviderClass"] = typeof(SecretProviderClass),
    };

    private readonly IReadOnlyList<object> _objects;

    private Overlay(string name, string text)
    {
        (Name, Text) = (name, text);
        _objects = KubernetesYaml.LoadAllFromString(text, OwnKinds, strict: true);
        Pods = [.. _objects.Select(PodTemplate.Of).OfType<PodTemplate>()];
    }

    /// <summary>Its folder's name.</summary>
    public string Name { get; }

    /// <summary>As it was rendered.</summary>
    public string Text { get; }

    /// <summary>The pods of Deployments, StatefulSets and Jobs.</summary>
    public IReadOnlyList<PodTemplate> Pods { get; }

    /// <summary>Names of every overlay.</summary>
    public static TheoryData<string> All { get; } = ["kind", "cpu", "gpu", "azure", "programs"];

    /// <summary>An overlay of this repository.</summary>
    public static Overlay Render(string name) => Known.GetOrAdd(name, n => new Overlay(n, Kubectl.Render(n)));

    /// <summary>The same with something wrong in it, for checks that must find it.</summary>
    public Overlay With(string right, string wrong)
    {
        Text.ShouldContain(right);
        return new Overlay(Name, Text.Replace(right, wrong, StringComparison.Ordinal));
    }

    /// <summary>Its objects of a kind.</summary>
    public IEnumerable<T> Of<T>() => _objects.OfType<T>();

    /// <summary>What the containers of a pod find in their environment; values of secrets that are not in the overlay are left out.</summary>
    public IReadOnlyDictionary<string, string> EnvironmentOf(PodTemplate pod)
    {
        var values = new Dictionary<string, string>();
        foreach (var source in pod.Container.EnvFrom ?? [])
        {
            foreach (var (name, value) in source.ConfigMapRef is { } map ? ConfigMap(map.Name) : Secret(source.SecretRef.Name))
                values[name] = value;
        }
        foreach (var variable in pod.Container.Env ?? [])
            values[variable.Name] = variable.Value ?? $"{pod.Container.Resources.Limits["memory"].ToInt64()}"; // the one field that is referred to
        return values;
    }

    private IEnumerable<KeyValuePair<string, string>> ConfigMap(string name) =>
        Of<V1ConfigMap>().SingleOrDefault(m => m.Metadata.Name == name)?.Data
            ?? throw new KeyNotFoundException($"{Name} has no ConfigMap {name}.");

    private Dictionary<string, string> Secret(string name) =>
        Of<V1Secret>().SingleOrDefault(s => s.Metadata.Name == name)?.Data?.ToDictionary(d => d.Key, d => Encoding.UTF8.GetString(d.Value)) ?? [];
}
