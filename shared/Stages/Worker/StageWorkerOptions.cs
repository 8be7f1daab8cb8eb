using Espalier.Contracts;

namespace Espalier.Stages.Worker;

/// <summary>Where the work of a step runs.</summary>
public enum WorkIsolation
{
    /// <summary>In the worker's own process.</summary>
    InProcess,

    /// <summary>In a child process, which may crash or be killed without taking the worker along.</summary>
    ChildProcess,
}

/// <summary>Settings of a worker. Section <c>worker</c> of the configuration.</summary>
public sealed class StageWorkerOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "worker";

    /// <summary>Unique name of this worker.</summary>
    /// <value>host, process id and a random part</value>
    public string Name { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..6]}".ToLowerInvariant();

    /// <summary>
    /// Steps at once. On <c>cuda</c>, each has a GPU of its own as long as there are enough (<c>CUDA_VISIBLE_DEVICES</c> says which).
    /// </summary>
    /// <value>1; 1 to 64</value>
    public int Slots { get; set; } = 1;

    /// <summary>Device class of the worker: <c>cpu</c>, <c>cuda</c> or <c>kubernetes</c>; of one that has several, <see cref="Devices"/> says them.</summary>
    public string Device { get; set; } = DeviceNames.Cpu;

    /// <summary>Device classes of the worker, the one that it is for first, each with its own slots and memory; empty where there is one only.</summary>
    /// <value>none: <see cref="Device"/>, <see cref="Slots"/> and <see cref="MemoryBytes"/> say the only one</value>
    public IList<DeviceClassOptions> Devices { get; } = [];

    /// <summary>Stage kinds to offer; empty offers every registered one.</summary>
    public IList<string> Kinds { get; } = [];

    /// <summary>Whether it runs programs that pipelines name (stage <c>command</c>): whoever may submit a pipeline then runs them as this worker.</summary>
    /// <value>false</value>
    public bool Commands { get; set; }

    /// <summary>How Jobs of a Kubernetes cluster are made, for the device class <c>kubernetes</c>.</summary>
    public KubernetesJobOptions Jobs { get; set; } = new();

    /// <summary>Memory the worker may use, in bytes; 0 when unknown.</summary>
    public long MemoryBytes { get; set; }

    /// <summary>What the worker offers.</summary>
    public IReadOnlyList<DeviceClass> Classes => Devices.Count > 0
        ? [.. Devices.Select(d => d.ToClass(this))]
        : [new() { Name = Device, Slots = Slots, MemoryBytes = MemoryBytes }];

    /// <summary>The class of a name; where the worker has none of that name, the one that it is for.</summary>
    public DeviceClass ClassOf(string device) => Classes.FirstOrDefault(c => c.Name == device) ?? Classes[0];

    /// <summary>How often the worker asks for work without a hint.</summary>
    /// <value>5 seconds; 10 milliseconds to 1 minute</value>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a running step reports that it is alive.</summary>
    /// <value>5 seconds, and never more than a third of the lease; 100 milliseconds to 1 minute</value>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stage may take to save its cursor when it is told to stop.</summary>
    /// <value>15 seconds; 100 milliseconds to 5 minutes</value>
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often the worker says what it offers.</summary>
    /// <value>1 minute; 100 milliseconds to 10 minutes</value>
    public TimeSpan AdvertiseInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Folder for derived data that can be made again.</summary>
    /// <value>espalier-cache in the temporary folder</value>
    public string CacheFolder { get; set; } = Path.Combine(Path.GetTempPath(), "espalier-cache");

    /// <summary>Where work runs.</summary>
    /// <value>child-process in a stage service, in-process where everything runs in one process</value>
    public WorkIsolation Isolation { get; set; }

    /// <summary>Checks every setting.</summary>
    /// <exception cref="UserInputException">Names every setting that is wrong, its value and what is allowed.</exception>
    public void Validate()
    {
        Refuse(Problems());
    }

    /// <summary>Checks that what the settings name is on this machine.</summary>
    /// <exception cref="UserInputException">Names every setting whose file or folder is not there.</exception>
    public void CheckFiles()
    {
        if (Classes.Any(c => c.Name == DeviceNames.Kubernetes))
            Refuse(Jobs.MissingFiles().Select(p => ($"jobs:{p.Setting}", p.Message)));
    }

    private static void Refuse(IEnumerable<(string Setting, string Message)> found)
    {
        var problems = found.Select(p => new Problem($"{Section}:{p.Setting}", 0, 0, p.Message)).ToList();
        if (problems.Count > 0)
            throw new UserInputException(problems);
    }

    private IEnumerable<(string Setting, string Message)> DeviceProblems()
    {
        if (Devices.Count == 0)
            yield break;
        foreach (var (device, index) in Devices.Select((d, i) => (d, i)))
        {
            foreach (var (setting, message) in device.Problems())
                yield return ($"devices:{index}:{setting}", message);
        }
        if (Devices.GroupBy(d => d.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            yield return ("devices", $"'{twice.Key}' is there twice: say once how many there are.");
        if (Device != DeviceNames.Cpu)
            yield return ("device", "Where there are 'devices', they say what the worker has: leave it out.");
        if (Slots != 1)
            yield return ("slots", "Where there are 'devices', each has slots of its own: leave it out.");
        if (Isolation == WorkIsolation.InProcess && Devices.Any(d => d.Name == DeviceNames.Cuda && d is { Pretended: false, Count: > 1 }))
            yield return ("isolation", "Several GPUs need a process for each step, which sees its own: expected child-process.");
    }

    private IEnumerable<(string Setting, string Message)> Problems()
    {
        if (string.IsNullOrWhiteSpace(Name))
            yield return ("name", "It is empty: expected a name that no other worker has.");
        if (Slots is < 1 or > 64)
            yield return ("slots", $"{Slots} is out of range: allowed is 1 to 64.");
        if (!DeviceNames.All.Contains(Device))
            yield return ("device", $"'{Device}' is unknown: allowed is {string.Join(", ", DeviceNames.All)}.");
        foreach (var problem in DeviceProblems())
            yield return problem;
        if (Classes.Any(c => c.Name == DeviceNames.Kubernetes))
        {
            foreach (var (setting, message) in Jobs.Problems())
                yield return ($"jobs:{setting}", message);
        }
        foreach (var (setting, value, min, max) in new[]
        {
            ("poll-interval", PollInterval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
            ("heartbeat-interval", HeartbeatInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1)),
            ("stop-grace", StopGrace, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5)),
            ("advertise-interval", AdvertiseInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)),
        })
        {
            if (value < min || value > max)
                yield return (setting, $"{value} is out of range: allowed is {min} to {max}.");
        }
    }
}
