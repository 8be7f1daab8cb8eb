using k8s;
using k8s.Models;

namespace Espalier.Deployment.Tests.Manifests;

/// <summary>SecretProviderClass of the Secrets Store CSI driver, as far as we use it.</summary>
public sealed class SecretProviderClass : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";
    public string Kind { get; set; } = "";
    public V1ObjectMeta Metadata { get; set; } = new();
    public SecretProviderSpec Spec { get; set; } = new();
}

public sealed class SecretProviderSpec
{
    public string Provider { get; set; } = "";
    public IDictionary<string, string> Parameters { get; set; } = new Dictionary<string, string>();
    public IList<SyncedSecret> SecretObjects { get; set; } = [];
}

public sealed class SyncedSecret
{
    public string SecretName { get; set; } = "";
    public string Type { get; set; } = "";
    public IList<SyncedValue> Data { get; set; } = [];
}

public sealed class SyncedValue
{
    public string ObjectName { get; set; } = "";
    public string Key { get; set; } = "";
}
