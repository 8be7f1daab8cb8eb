using System.Text.Json;
using Espalier.Contracts;
using Espalier.Study;

namespace Espalier.Orchestrator.Results;

/// <summary>The scored models of a run as a study sees them, each followed back to its first training step.</summary>
public static class StudyModels
{
    private const double OperationsPerWeight = 6;

    /// <summary>The models, in pipeline order.</summary>
    /// <param name="run">The run.</param>
    /// <param name="rows">Its models with their numbers.</param>
    /// <param name="active">Active weights during each training step, by step.</param>
    /// <param name="scores">What evaluations measured, as <c>MODEL.METRIC</c>.</param>
    public static IReadOnlyList<StudyModel> Of(
        RunSummary run, IReadOnlyList<ModelRow> rows, IReadOnlyDictionary<string, double> active, IReadOnlyDictionary<string, double> scores)
    {
        var steps = run.Steps.ToDictionary(s => s.Name);
        var models = new List<StudyModel>();
        foreach (var row in rows.Where(r => r is { Loss: not null, TotalParameters: not null, Kind: StageKinds.Train }))
        {
            var chain = Chain(steps, row.Model);
            var (arm, seed) = Split(row.Model);
            var growth = chain.FindIndex(s => s.Kind == StageKinds.Upcycle);
            models.Add(new StudyModel(
                row.Model, arm, seed,
                growth < 0 ? null : Split(chain[growth].Name).Arm,
                growth < 0 ? null : chain.Skip(growth).Sum(Tokens),
                row.TotalParameters!.Value,
                chain.Sum(Tokens),
                chain.Sum(s => s.Duration.TotalSeconds),
                chain.Sum(s => s.Metrics.TryGetValue("operations", out var done) ? done : OperationsPerWeight * active.GetValueOrDefault(s.Name) * Tokens(s)),
                row.Loss!.Value) { Measured = Measured(scores, row.Model) });
        }
        return models;
    }

    /// <summary>Active weights of a training step, from its report.</summary>
    public static double? Active(JsonElement report) =>
        report.TryGetProperty("active-parameters", out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    /// <summary>A step's name and the numbers at its end, which a matrix over seeds puts there.</summary>
    public static (string Arm, string Seed) Split(string step)
    {
        var dash = step.LastIndexOf('-');
        return dash > 0 && dash < step.Length - 1 && step[(dash + 1)..].All(char.IsAsciiDigit) ? (step[..dash], step[(dash + 1)..]) : (step, "");
    }

    private static Dictionary<string, double> Measured(IReadOnlyDictionary<string, double> scores, string model)
    {
        var prefix = $"{model}.";
        return scores.Where(score => score.Key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(score => score.Key[prefix.Length..], score => score.Value);
    }

    // The step itself first, then what its model was made from; of a model that learns from a teacher the teacher, which has its ancestors.
    private static List<StepSummary> Chain(Dictionary<string, StepSummary> steps, string last)
    {
        var chain = new List<StepSummary>();
        for (var step = steps.GetValueOrDefault(last); step is not null && chain.Count <= steps.Count;)
        {
            chain.Add(step);
            step = step.Needs.Select(need => steps.GetValueOrDefault(need))
                .FirstOrDefault(need => need?.Kind is StageKinds.Train or StageKinds.Upcycle or StageKinds.Prune);
        }
        return chain;
    }

    private static double Tokens(StepSummary step) => step.Kind == StageKinds.Train ? step.Metrics.GetValueOrDefault("tokens") : 0;
}
