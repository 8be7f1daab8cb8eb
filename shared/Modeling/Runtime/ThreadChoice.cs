namespace Espalier.Modeling.Runtime;

/// <summary>
/// Chooses how many threads one operation uses: the physical cores that this process may run on. LibTorch counts them
/// wrongly on some virtual machines and takes one. A choice in the environment is respected.
/// </summary>
public static class ThreadChoice
{
    /// <summary>The environment variable that OpenMP, and with it LibTorch, reads when it is loaded.</summary>
    public const string Variable = "OMP_NUM_THREADS";

    /// <summary>The threads for this machine.</summary>
    public static int Default => Math.Max(1, Math.Min(Environment.ProcessorCount, PhysicalCores()));

    /// <summary>Tells OpenMP; must run before LibTorch is loaded.</summary>
    /// <param name="threads">What it is to be; null for the choice in the environment, or else <see cref="Default"/>.</param>
    internal static void Apply(int? threads = null)
    {
        if (threads is { } wanted)
            NativeEnvironment.Set(Variable, wanted.ToString(System.Globalization.CultureInfo.InvariantCulture));
        else if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)))
            NativeEnvironment.SetDefault(Variable, Default.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    // Hardware threads of one core share its arithmetic units, so a second one on them gains nothing.
    private static int PhysicalCores()
    {
        const string cpus = "/sys/devices/system/cpu";
        if (!Directory.Exists(cpus))
            return Environment.ProcessorCount;
        int cores = Directory.EnumerateDirectories(cpus, "cpu*")
            .Select(cpu => Path.Combine(cpu, "topology", "thread_siblings_list"))
            .Where(File.Exists)
            .Select(File.ReadAllText)
            .Distinct()
            .Count();
        return cores == 0 ? Environment.ProcessorCount : cores;
    }
}
