using Espalier.Contracts;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>
/// Which GPU a work process sees. As many slots as there are GPUs use one each: a process sees only its own, as <c>cuda:0</c>. With
/// more slots than GPUs the least used one is shared. Beside a class of GPUs, processes of the class <c>cpu</c> see none. Not run on CUDA yet.
/// </summary>
/// <param name="visible">GPUs that this worker may use, as <c>CUDA_VISIBLE_DEVICES</c> names them; empty where processes choose no device.</param>
internal sealed class WorkDevices(IReadOnlyList<string> visible)
{
    /// <summary>What CUDA is told which devices a process sees by.</summary>
    public const string Variable = "CUDA_VISIBLE_DEVICES";

    /// <summary>By index or by bus: only then do numbers mean the same device in every process.</summary>
    public const string OrderVariable = "CUDA_DEVICE_ORDER";

    private const string DriverFolder = "/proc/driver/nvidia/gpus";

    private readonly int[] _uses = new int[visible.Count];
    private readonly Lock _lock = new();

    /// <summary>Processes choose no device.</summary>
    public static WorkDevices None => new([]);

    /// <summary>The devices of a class that a worker offers.</summary>
    public static WorkDevices Of(DeviceClass offered, StageWorkerOptions options)
    {
        var isAlone = options.Devices.Count == 0;
        if (offered.Name != DeviceNames.Cuda)
            return isAlone || options.Classes.All(c => c.Name != DeviceNames.Cuda) ? None : new WorkDevices([""]);
        var visible = Visible();
        var count = isAlone ? (visible.Count > 0 ? visible.Count : offered.Slots) : offered.Count;
        return new WorkDevices([.. Enumerable.Range(0, count).Select(i => i < visible.Count ? visible[i] : $"{i}")]);
    }

    /// <summary>The GPUs that the environment lets this process see, else those of the machine; empty where neither says any.</summary>
    public static IReadOnlyList<string> Visible() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given
            ? given.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [.. Enumerable.Range(0, CountOnMachine()).Select(i => $"{i}")];

    /// <summary>Takes the least used device; null where there is none to choose.</summary>
    public int? Take()
    {
        if (visible.Count == 0)
            return null;
        lock (_lock)
        {
            var least = Array.IndexOf(_uses, _uses.Min());
            _uses[least]++;
            return least;
        }
    }

    /// <summary>Takes this device, if none is used less.</summary>
    public bool TryTake(int? device)
    {
        if (device is not { } index)
            return true;
        lock (_lock)
        {
            if (_uses[index] > _uses.Min())
                return false;
            _uses[index]++;
            return true;
        }
    }

    /// <summary>Gives a device back.</summary>
    public void GiveBack(int? device)
    {
        if (device is { } index)
            lock (_lock)
                _uses[index]--;
    }

    /// <summary>What a process of a device finds in its environment.</summary>
    public IEnumerable<KeyValuePair<string, string>> EnvironmentOf(int? device) => device is { } index
        ? [new(Variable, visible[index]), new(OrderVariable, Environment.GetEnvironmentVariable(OrderVariable) ?? "PCI_BUS_ID")]
        : [];

    private static int CountOnMachine()
    {
        try
        {
            return Directory.Exists(DriverFolder) ? Directory.GetDirectories(DriverFolder).Length : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
