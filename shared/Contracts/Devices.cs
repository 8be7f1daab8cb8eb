using System.Text.Json.Serialization;

namespace Espalier.Contracts;

/// <summary>Names of device classes, which steps ask for by <c>device</c>.</summary>
public static class DeviceNames
{
    /// <summary>Processors.</summary>
    public const string Cpu = "cpu";

    /// <summary>NVIDIA GPUs.</summary>
    public const string Cuda = "cuda";

    /// <summary>A Kubernetes cluster, in which the step's program runs as a Job; for stages that say so (<see cref="StageTraits.Clusters"/>).</summary>
    public const string Kubernetes = "kubernetes";

    /// <summary>Every name that there is.</summary>
    public static IReadOnlyList<string> All { get; } = [Cpu, Cuda, Kubernetes];
}

/// <summary>A class of like devices that a worker offers, each with a memory of its own.</summary>
public sealed record DeviceClass
{
    /// <summary>One of <see cref="DeviceNames"/>.</summary>
    public required string Name { get; init; }

    /// <summary>How many devices there are; a machine's processors count as one.</summary>
    /// <value>1</value>
    public int Count { get; init; } = 1;

    /// <summary>Steps that run on them at once; 0 from workers that do not say, and then they are trusted.</summary>
    /// <value>1</value>
    public int Slots { get; init; } = 1;

    /// <summary>Memory of each device, in bytes; 0 when unknown.</summary>
    /// <value>0</value>
    public long MemoryBytes { get; init; }

    /// <summary>It is not what its name says: its steps compute on the CPU, so that tests of a platform need no such device.</summary>
    /// <value>false</value>
    public bool IsPretended { get; init; }

    /// <summary>Steps that share a device when every slot is held.</summary>
    private int Sharing => Math.Max(1, (Slots + Count - 1) / Math.Max(1, Count));

    /// <summary>A slot's share of a device's memory, in bytes; 0 when unknown.</summary>
    [JsonIgnore]
    public long SlotBytes => MemoryBytes / Sharing;

    /// <summary>
    /// Memory of the largest step that the class can run, in bytes; 0 when unknown. Of several devices that steps share nobody knows which
    /// one a step will get, so that it may not take more than its share.
    /// </summary>
    [JsonIgnore]
    public long LargestStepBytes => Count == 1 ? MemoryBytes : SlotBytes;

    /// <summary>Memory that another step may need beside those that run, in bytes; null when unknown.</summary>
    /// <param name="heldBytes">What the steps that run on the class need together.</param>
    public long? RoomBeside(long heldBytes) => MemoryBytes == 0 ? null : Count == 1 ? MemoryBytes - heldBytes : SlotBytes;
}
