using k8s;
using k8s.Models;

namespace Espalier.Deployment.Tests.Manifests;

/// <summary>KEDA's ScaledObject, as far as we use it: a field that is not here fails the reading. KEDA has no package of models.</summary>
public sealed class ScaledObject : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";
    public string Kind { get; set; } = "";
    public V1ObjectMeta Metadata { get; set; } = new();
    public ScaledObjectSpec Spec { get; set; } = new();
}

public sealed class ScaledObjectSpec
{
    public ScaleTarget ScaleTargetRef { get; set; } = new();
    public int? PollingInterval { get; set; }
    public int? CooldownPeriod { get; set; }
    public int? MinReplicaCount { get; set; }
    public int? MaxReplicaCount { get; set; }
    public ScaleFallback? Fallback { get; set; }
    public ScaleAdvanced? Advanced { get; set; }
    public IList<ScaleTrigger> Triggers { get; set; } = [];
}

public sealed class ScaleTarget
{
    public string Name { get; set; } = "";
}

public sealed class ScaleFallback
{
    public int FailureThreshold { get; set; }
    public int Replicas { get; set; }
    public string? Behavior { get; set; }
}

public sealed class ScaleAdvanced
{
    public ScalingModifiers? ScalingModifiers { get; set; }
    public HorizontalPodAutoscalerConfig? HorizontalPodAutoscalerConfig { get; set; }
}

public sealed class ScalingModifiers
{
    public string? Formula { get; set; }
    public string? Target { get; set; }
    public string? MetricType { get; set; }
}

public sealed class HorizontalPodAutoscalerConfig
{
    public V2HorizontalPodAutoscalerBehavior? Behavior { get; set; }
}

public sealed class ScaleTrigger
{
    public string Type { get; set; } = "";
    public string? Name { get; set; }
    public string? MetricType { get; set; }
    public IDictionary<string, string> Metadata { get; set; } = new Dictionary<string, string>();
}
