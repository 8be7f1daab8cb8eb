using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling.Runtime;

namespace Espalier.Bench;

/// <summary>One answer of a measured process: seconds of each step, the last loss, and memory of the process so far.</summary>
internal sealed record BenchTurn(IReadOnlyList<double> Seconds, double Loss, long PeakBytes, long StartBytes, long ActivationBytes)
{
    /// <summary>Peak memory above what the process took before it made the model.</summary>
    public long StepBytes => PeakBytes - StartBytes;
}

/// <summary>
/// A measured process: reads the number of steps to run from standard input, line by line, and answers each with one
/// line of JSON. The peer's script speaks the same, so that neither side's start or memory touches the other's.
/// </summary>
internal static class BenchWorker
{
    /// <summary>Name of our side of a measurement.</summary>
    public const string OwnSide = "ours";

    /// <summary>Name of the peer in plain TorchSharp.</summary>
    public const string EagerSide = "eager";

    public static void Run(Func<IMeasuredWork> make, TextReader input, TextWriter output)
    {
        TorchRuntime.Initialize();
        var start = Memory("VmRSS");
        using var work = make();
        while (input.ReadLine() is { } line)
        {
            var steps = Enumerable.Range(0, int.Parse(line, CultureInfo.InvariantCulture)).Select(_ => work.Step()).ToList();
            var turn = new BenchTurn([.. steps.Select(s => s.Seconds)], steps[^1].Loss, Memory("VmHWM"), start, work.ActivationBytes);
            output.WriteLine(JsonSerializer.Serialize(turn, WireJson.Options));
            output.Flush();
        }
    }

    /// <summary>The bytes that a line of <c>/proc/PID/status</c> tells. The name ends with a tab, and only small numbers have spaces before them.</summary>
    internal static long BytesOf(string line) =>
        long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;

    private static long Memory(string field) =>
        BytesOf(File.ReadLines("/proc/self/status").First(l => l.StartsWith(field, StringComparison.Ordinal)));
}
