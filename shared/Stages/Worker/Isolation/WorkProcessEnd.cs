using System.Globalization;
using Espalier.Contracts;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>What it means that a work process ended without an outcome.</summary>
internal static class WorkProcessEnd
{
    private const int LinesShown = 40;
    private const int SignalBase = 128;
    private const int Kill = 9;
    private const int Terminate = 15;

    private static readonly Dictionary<int, string> Signals = new()
    {
        [4] = "illegal instruction", [6] = "abort", [7] = "bus error", [8] = "arithmetic error", [Kill] = "kill", [11] = "segmentation fault",
        [Terminate] = "terminate",
    };

    /// <summary>The failure: out of memory is resource, a kill from outside transient, anything else a crash.</summary>
    public static Exception Describe(int code, bool wasMemoryKill, IReadOnlyList<string> lines)
    {
        if (code == SignalBase + Kill && wasMemoryKill)
            return new StageFailedException(FailureClass.Resource, "The system ended the work process because memory ran out.");
        if (code is SignalBase + Kill or SignalBase + Terminate)
            return new StageFailedException(FailureClass.Transient, $"The work process was killed from outside ({NameOf(code)}).");
        var last = string.Concat(lines.TakeLast(LinesShown).Select(l => Environment.NewLine + l));
        return new StageCrashedException($"The work process crashed: {NameOf(code)}.{(last.Length > 0 ? " Its last lines:" + last : "")}");
    }

    private static string NameOf(int code) =>
        code <= SignalBase ? $"exit code {code}"
        : Signals.TryGetValue(code - SignalBase, out var name) ? $"signal {code - SignalBase}, {name}"
        : string.Create(CultureInfo.InvariantCulture, $"signal {code - SignalBase}");
}
