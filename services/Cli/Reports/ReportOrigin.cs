using System.Runtime.InteropServices;
using Espalier.Modeling.Runtime;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Reports;

/// <summary>Where a run's numbers come from.</summary>
/// <param name="Run">The run.</param>
/// <param name="Source">Its file and parameters; null where the ledger does not have them.</param>
public sealed record ReportOrigin(RunView Run, RunSource? Source)
{
    /// <summary>This machine, without its name: <c>2 cores, AuthenticAMD-avx512-bf16, Debian GNU/Linux 12 (bookworm) X64</c>.</summary>
    public static string Machine { get; } =
        $"{Environment.ProcessorCount} cores, {VectorUnits.Name}, {RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}";
}
