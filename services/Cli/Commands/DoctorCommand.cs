using System.CommandLine;
using Espalier.Cli.Doctor;
using Espalier.Cli.Hosting;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier doctor</c>: what this machine has and lacks.</summary>
internal static class DoctorCommand
{
    public static Command Create(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command("doctor", "Show tensor engine, processor, memory, disk, store and tools, with a remedy for what is missing.") { json };
        command.SetAction(parsed =>
        {
            var findings = Examination.Run(EspalierHome.OfThisProcess());
            var isWell = findings.All(f => f.Severity != Severity.Missing);
            if (parsed.GetValue(json))
                terminal.WriteJson(new
                {
                    Engine = Value("engine"),
                    NumericsClass = Value("numerics class"),
                    Kernels = Value("kernels"),
                    IsWell = isWell,
                    Findings = findings,
                });
            else
                foreach (var finding in findings)
                    terminal.Output.WriteLine(
                        $"{Mark(finding.Severity)} {finding.Name,-16} {finding.Value}{(finding.Remedy is null ? "" : $"\n    -> {finding.Remedy}")}");
            return isWell ? ExitCodes.Done : ExitCodes.Failed;

            string? Value(string name) => findings.FirstOrDefault(f => f.Name == name)?.Value;
        });
        return command;
    }

    private static string Mark(Severity severity) => severity switch { Severity.Fine => "ok  ", Severity.Optional => "note", _ => "MISS" };
}
