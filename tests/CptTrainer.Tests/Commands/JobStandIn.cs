using k8s;
using k8s.Models;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>A Job of <see cref="ClusterStandIn"/>, and what a cluster's controller does with it, whenever somebody looks.</summary>
internal sealed class JobStandIn(V1Job job, V1Container container, string volume)
{
    private readonly Lock _lock = new();
    private readonly DateTime _start = DateTime.UtcNow;
    private readonly List<PodStandIn> _pods = [];
    private (string Type, string Reason)? _end;
    private DateTime? _deleted;
    private V1ContainerStateWaiting? _waiting;

    public string Name => job.Metadata.Name;

    public long? ActiveDeadlineSeconds { get; set; } = job.Spec.ActiveDeadlineSeconds;

    public IReadOnlyList<PodStandIn> Pods
    {
        get
        {
            lock (_lock)
                return [.. _pods];
        }
    }

    /// <summary>It was deleted, and all of its pods have ended.</summary>
    public bool IsGone => _deleted is not null && Pods.All(p => p.HasEnded);

    public void Reconcile(V1ContainerStateWaiting? waiting)
    {
        lock (_lock)
        {
            _waiting = waiting;
            if (_pods.Count == 0 && waiting is null && _deleted is null && _end is null)
                _pods.AddRange(Enumerable.Range(0, job.Spec.Completions!.Value).Select(i => new PodStandIn(job, container, i, volume)));
            if (_end is not null || _deleted is not null)
                return;
            if ((DateTime.UtcNow - _start).TotalSeconds > ActiveDeadlineSeconds)
                _end = ("Failed", "DeadlineExceeded");
            else if (_pods.Any(p => p.HasEnded && p.ExitCode != 0))
                _end = ("Failed", "BackoffLimitExceeded");
            else if (_pods.Count > 0 && _pods.All(p => p.HasEnded))
                _end = ("Complete", "CompletionsReached");
            if (_end is ("Failed", _))
                _pods.ForEach(p => p.Kill());
        }
    }

    public void Delete()
    {
        _deleted ??= DateTime.UtcNow;
        Kill();
    }

    public void Kill()
    {
        foreach (var pod in Pods)
            pod.Kill();
    }

    public V1Job ToJob()
    {
        var shown = KubernetesJson.Deserialize<V1Job>(KubernetesJson.Serialize(job));
        shown.Metadata.DeletionTimestamp = _deleted;
        shown.Spec.ActiveDeadlineSeconds = ActiveDeadlineSeconds;
        shown.Status = new V1JobStatus { StartTime = _start };
        if (_end is { } end)
            shown.Status.Conditions = [new V1JobCondition { Type = end.Type, Status = "True", Reason = end.Reason }];
        return shown;
    }

    public IEnumerable<V1Pod> ToPods() => Pods.Count > 0 || _waiting is null
        ? Pods.Select(p => p.ToPod())
        : [new V1Pod
        {
            Metadata = new V1ObjectMeta { Name = $"{Name}-0-waits" },
            Status = new V1PodStatus
            {
                Phase = "Pending",
                ContainerStatuses =
                [
                    new V1ContainerStatus
                    {
                        Name = container.Name, Image = container.Image, ImageID = "", State = new V1ContainerState { Waiting = _waiting },
                    },
                ],
            },
        }];
}
