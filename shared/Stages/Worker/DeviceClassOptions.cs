using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Stages.Worker;

/// <summary>A device class that a worker offers. Section <c>worker:devices:N</c> of the configuration.</summary>
public sealed class DeviceClassOptions
{
    /// <summary><c>cpu</c>, <c>cuda</c> or <c>kubernetes</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>
    /// How many devices: GPUs, each of which runs its own step (<c>CUDA_VISIBLE_DEVICES</c> says which). Processors count as one, and so
    /// does a cluster.
    /// </summary>
    /// <value>the GPUs that the worker sees, at least 1; 1 to 64</value>
    public int? Count { get; set; }

    /// <summary>Steps at once.</summary>
    /// <value>as many as devices; 1 to 64</value>
    public int? Slots { get; set; }

    /// <summary>Memory of each device, such as <c>80GiB</c>: no step gets one that needs more.</summary>
    /// <value>for <c>cpu</c>, <c>worker:memory-bytes</c>; else not known</value>
    public string Memory { get; set; } = "";

    /// <summary>
    /// For tests of a platform on machines without such a device: its steps compute on the CPU. Their keys, the log, the status and notes on
    /// what they make say so.
    /// </summary>
    /// <value>false</value>
    public bool Pretended { get; set; }

    /// <summary>As the orchestrator is told.</summary>
    internal DeviceClass ToClass(StageWorkerOptions worker)
    {
        var count = Name != DeviceNames.Cuda ? 1 : Count ?? Math.Max(1, Isolation.WorkDevices.Visible().Count);
        var memory = Memory.Length > 0 ? Bytes() : Name == DeviceNames.Cpu ? worker.MemoryBytes : 0;
        return new DeviceClass { Name = Name, Count = count, Slots = Slots ?? count, MemoryBytes = memory, IsPretended = Pretended };
    }

    /// <summary>What is wrong with it: the setting, and what is allowed.</summary>
    internal IEnumerable<(string Setting, string Message)> Problems()
    {
        if (!DeviceNames.All.Contains(Name))
            yield return ("name", $"'{Name}' is unknown: allowed is {string.Join(", ", DeviceNames.All)}.");
        if (Count is < 1 or > 64)
            yield return ("count", $"{Count} is out of range: allowed is 1 to 64.");
        else if (Name == DeviceNames.Cpu && Count > 1)
            yield return ("count", $"The processors of a machine count as one device: leave it out, and set 'slots' to {Count} for {Count} steps at once.");
        else if (Name == DeviceNames.Cuda && !Pretended && Isolation.WorkDevices.Visible() is { Count: > 0 } visible && Count > visible.Count)
            yield return ("count", $"{Count} are more than the {visible.Count} GPU(s) that this worker sees ({string.Join(", ", visible)}).");
        if (Slots is < 1 or > 64)
            yield return ("slots", $"{Slots} is out of range: allowed is 1 to 64.");
        if (Name == DeviceNames.Cuda && Slots is not null && Count is null)
            yield return ("count", "Where there are 'slots', it says how many GPUs share them: expected 1 to 64.");
        if (Memory.Length > 0 && Units.ReadSize(Memory, out var bytes) is { } expected)
            yield return ("memory", $"'{Memory}' is not {expected}.");
        else if (Memory.Length > 0 && Bytes() < 0)
            yield return ("memory", $"'{Memory}' is less than nothing.");
        if (Pretended && Name != DeviceNames.Cuda)
            yield return ("pretended", $"It is for {DeviceNames.Cuda} only: leave it out.");
        if (Name == DeviceNames.Kubernetes && Count > 1)
            yield return ("count", "A cluster counts as one device: leave it out, and say in 'slots' how many Jobs may run at once.");
        if (Name == DeviceNames.Kubernetes && Memory.Length > 0)
            yield return ("memory", "The memory of a Job is not this worker's: leave it out, and set limits in the template of Jobs.");
    }

    private long Bytes()
    {
        _ = Units.ReadSize(Memory, out var bytes);
        return bytes;
    }
}
