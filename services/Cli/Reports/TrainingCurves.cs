using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling.Training;
using Espalier.Orchestrator.Results;

namespace Espalier.Cli.Reports;

/// <summary>What a report of a training step has to be drawn, beside its loss.</summary>
/// <param name="Step">The step.</param>
/// <param name="Schedule">Shape of the learning rate; null in reports that do not tell.</param>
/// <param name="Points">Optimizer steps, tokens and loss.</param>
/// <param name="Expected">The curve as it was expected half way: tokens and loss.</param>
/// <param name="HeldOut">Losses on held-out text by domain: tokens and loss.</param>
/// <param name="HeldOutMean">Optimizer steps and loss on all held-out text.</param>
internal sealed record TrainingCurves(
    string Step, LearningRateSchedule? Schedule, IReadOnlyList<(double Step, double Tokens, double Loss)> Points,
    IReadOnlyList<(double Tokens, double Loss)> Expected, IReadOnlyDictionary<string, IReadOnlyList<(double Tokens, double Loss)>> HeldOut,
    IReadOnlyList<(double Step, double Loss)> HeldOutMean)
{
    /// <summary>Reads a report.</summary>
    public static TrainingCurves Read(string step, JsonElement report)
    {
        var heldOut = new Dictionary<string, IReadOnlyList<(double, double)>>();
        foreach (var point in ReportReader.Items(report, "held-out"))
        {
            foreach (var domain in point.GetProperty("domains").EnumerateObject())
            {
                if (!heldOut.TryGetValue(domain.Name, out var points))
                    heldOut[domain.Name] = points = new List<(double, double)>();
                ((List<(double, double)>)points).Add((Number(point, "tokens"), domain.Value.GetDouble()));
            }
        }
        return new TrainingCurves(
            step,
            report.TryGetProperty("schedule", out var schedule) ? schedule.Deserialize<LearningRateSchedule>(WireJson.Options) : null,
            [.. ReportReader.Items(report, "history").Select(p => (Number(p, "step"), Number(p, "tokens"), Number(p, "loss")))],
            [.. ReportReader.Items(report, "expected-curve").Select(p => (Number(p, "tokens"), Number(p, "loss")))],
            heldOut,
            [.. ReportReader.Items(report, "held-out").Select(p => (Number(p, "step"), Number(p, "loss")))]);

        static double Number(JsonElement point, string name) => point.GetProperty(name).GetDouble();
    }
}
